//! Passwords, and secrets that the server makes itself.

use argon2::Argon2;
use argon2::password_hash::rand_core::{OsRng, RngCore as _};
use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};

use super::AccessError;

/// Shortest password taken, in characters (NIST SP 800-63B, 3.1.1.2: at least 8 where it is not the only factor, 15 where it is).
pub(super) const PASSWORD_MIN: usize = 12;
/// Longest one, in bytes.
pub(super) const PASSWORD_MAX: usize = 1_024;

/// argon2id with the crate's parameters: 19 MiB, two passes (OWASP's first choice).
pub(super) fn hash(password: &str) -> Result<String, AccessError> {
    if password.chars().count() < PASSWORD_MIN || password.len() > PASSWORD_MAX {
        return Err(AccessError::Password);
    }
    let salt = SaltString::generate(&mut OsRng);
    let hashed = Argon2::default().hash_password(password.as_bytes(), &salt);
    hashed.map(|hash| hash.to_string()).map_err(|error| AccessError::Hash(error.to_string()))
}

/// Whether it is the password. Without a hash it takes as long as with one, and is not: who has no account is not told by the time.
pub(crate) fn is_password(password: &str, hash: Option<&str>) -> bool {
    const NOBODY: &str =
        "$argon2id$v=19$m=19456,t=2,p=1$c29tZSBzYWx0IG9mIG91cnM$k1rkBeM8r8sUoFYPvJxpUnVyUk5yvxP0LW3i2l6nBhE";
    let known = PasswordHash::new(hash.unwrap_or(NOBODY));
    let fits = known.is_ok_and(|known| {
        let password = password.get(..PASSWORD_MAX).unwrap_or(password);
        Argon2::default().verify_password(password.as_bytes(), &known).is_ok()
    });
    fits && hash.is_some()
}

/// 256 random bits as 64 hexadecimal digits.
pub(super) fn random() -> String {
    let mut bytes = [0; 32];
    OsRng.fill_bytes(&mut bytes);
    blake3::Hash::from_bytes(bytes).to_hex().to_string()
}

/// What of such a secret is kept. It has no structure to guess, so a quick hash does.
pub(super) fn kept(secret: &str) -> String {
    blake3::hash(secret.as_bytes()).to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords() {
        let hash = hash("correct horse battery").unwrap();
        assert!(is_password("correct horse battery", Some(&hash)));
        assert!(!is_password("correct horse batterz", Some(&hash)) && !is_password("", Some(&hash)));
        assert!(!is_password("correct horse battery", None) && !is_password("x", Some("no hash")));
        assert!(matches!(super::hash("short"), Err(AccessError::Password)));
        assert!(
            PasswordHash::new(
                "$argon2id$v=19$m=19456,t=2,p=1$c29tZSBzYWx0IG9mIG91cnM$k1rkBeM8r8sUoFYPvJxpUnVyUk5yvxP0LW3i2l6nBhE"
            )
            .is_ok()
        );
        assert_eq!((random().len(), kept("x").len()), (64, 64));
        assert_ne!(random(), random());
    }
}
