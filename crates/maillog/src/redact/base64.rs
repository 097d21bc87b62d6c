//! Base64 that holds what somebody logs in with: told by what it decodes to, so that prompts and challenges stay.
//!
//! Input: a word. Output: whether it is a secret.

/// The prompts of LOGIN, `Username:` and `Password:` with what ends them: the reason of failures by the million.
const PROMPTS: [&[u8]; 4] = [b"UGFzc3dvcmQ6", b"VXNlcm5hbWU6", b"UGFzc3dvcmQA", b"VXNlciBOYW1lAA=="];

/// Shorter words hold no name and password.
const LEAST: usize = 8;

/// A response of `PLAIN` (`<name> NUL <name> NUL <password>`), of `XOAUTH2` and `OAUTHBEARER` (`auth=Bearer <token>`), or one in
/// binary, such as NTLM's.
#[inline]
pub(crate) fn is_response(word: &[u8]) -> bool {
    // Nearly no reason is one word.
    word.len() >= LEAST && !PROMPTS.contains(&word) && is_base64(word) && decodes_to_response(word)
}

/// Whether a word can be base64, cut short or not.
pub(super) fn is_base64(word: &[u8]) -> bool {
    let end = word.iter().position(|b| value(*b).is_none()).unwrap_or(word.len());
    matches!(word.get(end..), Some(b"" | b"=" | b"==")) && end > 0
}

/// What a client sends that answers a prompt. No word of a language looks like that.
pub(super) fn is_answer(word: &[u8]) -> bool {
    let odd = |word: &[u8]| word.iter().any(|b| !b.is_ascii_alphabetic());
    word.len() >= LEAST && is_base64(word) && (word.len().is_multiple_of(4) || odd(word))
}

fn decodes_to_response(word: &[u8]) -> bool {
    // The second message of NTLM is a challenge of the server's.
    const CHALLENGE: [u8; 9] = *b"NTLMSSP\0\x02";
    const BEARER: &[u8] = b"auth=bearer ";
    let (mut nuls, mut bearer) = (0_usize, 0_usize);
    for byte in decoded(word) {
        nuls += usize::from(byte == 0);
        let byte = byte.to_ascii_lowercase();
        bearer = if BEARER.get(bearer) == Some(&byte) { bearer + 1 } else { usize::from(byte == b'a') };
        if bearer == BEARER.len() {
            return true;
        }
    }
    nuls > 1 && !decoded(word).take(CHALLENGE.len()).eq(CHALLENGE)
}

/// The bytes that base64 stands for; what cuts it short is left out.
fn decoded(word: &[u8]) -> impl Iterator<Item = u8> {
    word.chunks(4).flat_map(|group| {
        let values = group.iter().map_while(|b| value(*b));
        let (bits, count) = values.fold((0_u32, 0_usize), |(bits, count), value| (bits << 6 | value, count + 1));
        let [_, bytes @ ..] = (bits << (6 * (4 - count))).to_be_bytes();
        bytes.into_iter().take(count * 6 / 8)
    })
}

fn value(byte: u8) -> Option<u32> {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes() {
        for (word, plain) in [
            ("", ""),
            ("YQ==", "a"),
            ("YWI=", "ab"),
            ("YWJj", "abc"),
            ("YWJjZA", "abcd"),
            ("YWJjZ", "abc"),
            ("+/+/", "\u{fb}\u{ff}\u{bf}"),
        ] {
            let plain: Vec<u8> = plain.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
            assert_eq!(decoded(word.as_bytes()).collect::<Vec<_>>(), plain, "{word}");
        }
    }

    #[test]
    fn responses_are_told_from_challenges() {
        for word in [
            "AGFsaWNlAEh1bnRlcjI=",
            // Cut short.
            "AGFsaWNlAEh1bnR",
            "YWxpY2UAYWxpY2UASHVudGVyMg==",
            // `user=a@b.c^Aauth=Bearer x^A^A`, `n,a=a@b.c,^Ahost=h^Aauth=bearer x^A^A`
            "dXNlcj1hQGIuYwFhdXRoPUJlYXJlciB4AQE=",
            "bixhPWFAYi5jLAFob3N0PWgBYXV0aD1iZWFyZXIgeAEB",
            // NTLM's third message is the client's.
            "TlRMTVNTUAADAAAAGAAYAA==",
        ] {
            assert!(is_response(word.as_bytes()), "{word}");
        }
        for word in [
            "",
            "UGFzc3dvcmQ6",
            "VXNlcm5hbWU6",
            "UGFzc3dvcmQA",
            "VXNlciBOYW1lAA==",
            // `<17.1@h.ex>` of CRAM-MD5, `{"status":"401"}` of XOAUTH2
            "PDE3LjFAaC5leD4=",
            "eyJzdGF0dXMiOiI0MDEifQ==",
            "TlRMTVNTUAACAAAAAAAAADAAAAA=",
            "generic failure",
            "authentication failure",
            "AGFsaWNlAEh1bnRlcjI=x",
            "AAAA",
        ] {
            assert!(!is_response(word.as_bytes()), "{word}");
        }
    }
}
