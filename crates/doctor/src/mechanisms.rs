//! Which SASL mechanisms are left after Postfix' security options, and which of these its filter shows.
//!
//! The backend's mechanisms and the values of the parameters go in, the names that are left come out.
//!
//! Source: Postfix `src/xsasl/xsasl_dovecot_server.c` (properties), `src/global/sasl_mech_filter.c`,
//! `src/util/match_ops.c` (list elements).

use crate::handshake::Mechanism;

/// The mechanisms that `smtpd_sasl_(tls_)security_options` allow.
pub(crate) fn allowed<'a>(offered: &'a [Mechanism], options: &str) -> Vec<&'a str> {
    let options: Vec<String> = words(options).map(str::to_ascii_lowercase).collect();
    let has = |mechanism: &Mechanism, property: &str| mechanism.properties.iter().any(|own| own == property);
    let forbidden = |mechanism: &Mechanism| {
        options.iter().any(|option| match option.as_str() {
            "noplaintext" => has(mechanism, "plaintext"),
            "noactive" => has(mechanism, "active"),
            "nodictionary" => has(mechanism, "dictionary"),
            "noanonymous" => has(mechanism, "anonymous"),
            "forward_secrecy" => !has(mechanism, "forward-secrecy"),
            "mutual_auth" => !has(mechanism, "mutual-auth"),
            _ => false,
        })
    };
    offered.iter().filter(|mechanism| !forbidden(mechanism)).map(|mechanism| mechanism.name.as_str()).collect()
}

/// What a filter does with a mechanism. `None`: the filter has elements (a table or a file) that only Postfix can look up.
pub(crate) fn shown(filter: &str, mechanism: &str) -> Option<bool> {
    for element in words(filter) {
        let (negated, name) = match element.strip_prefix('!') {
            Some(name) => (true, name),
            None => (false, element),
        };
        if name.starts_with('/') || (name.contains(':') && !name.starts_with("static:")) {
            return None;
        }
        if name.starts_with("static:") || name.eq_ignore_ascii_case(mechanism) {
            return Some(!negated);
        }
    }
    Some(false)
}

/// Elements of a Postfix list: separated by commas and white space.
pub(crate) fn words(list: &str) -> impl Iterator<Item = &str> {
    list.split([',', ' ', '\t', '\r', '\n']).filter(|word| !word.is_empty())
}

/// Whether mechanisms include one that sends the password itself.
pub(crate) fn is_plaintext(name: &str) -> bool {
    matches!(name.to_ascii_uppercase().as_str(), "PLAIN" | "LOGIN" | "XOAUTH2" | "OAUTHBEARER")
}

/// Mechanisms that need the password stored in the clear, or in a form of their own.
pub(crate) fn needs_stored_clear(name: &str) -> bool {
    matches!(name.to_ascii_uppercase().as_str(), "CRAM-MD5" | "DIGEST-MD5" | "NTLM" | "APOP" | "RPA" | "OTP" | "SKEY")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered() -> Vec<Mechanism> {
        let of = |name: &str, properties: &[&str]| Mechanism {
            name: name.to_owned(),
            properties: properties.iter().map(ToString::to_string).collect(),
        };
        vec![
            of("PLAIN", &["plaintext"]),
            of("CRAM-MD5", &["dictionary", "active"]),
            of("ANONYMOUS", &["anonymous"]),
            of("SCRAM-SHA-256", &["mutual-auth"]),
        ]
    }

    #[test]
    fn security_options() {
        let check = |options: &str, expected: &[&str]| assert_eq!(allowed(&offered(), options), expected, "{options}");
        check("noanonymous", &["PLAIN", "CRAM-MD5", "SCRAM-SHA-256"]);
        check("noanonymous, noplaintext", &["CRAM-MD5", "SCRAM-SHA-256"]);
        check("noplaintext noactive,noanonymous", &["SCRAM-SHA-256"]);
        check("mutual_auth", &["SCRAM-SHA-256"]);
        check("forward_secrecy", &[]);
        check("", &["PLAIN", "CRAM-MD5", "ANONYMOUS", "SCRAM-SHA-256"]);
        check("nonsense", &["PLAIN", "CRAM-MD5", "ANONYMOUS", "SCRAM-SHA-256"]);
    }

    #[test]
    fn filters() {
        let check =
            |filter: &str, mechanism: &str, expected| assert_eq!(shown(filter, mechanism), expected, "{filter}");
        check("!external, static:rest", "PLAIN", Some(true));
        check("!external, static:rest", "EXTERNAL", Some(false));
        check("login", "LOGIN", Some(true));
        check("login", "PLAIN", Some(false));
        check("", "PLAIN", Some(false));
        check("/etc/postfix/mechanisms", "PLAIN", None);
        check("plain, hash:/x", "PLAIN", Some(true));
        check("!plain, hash:/x", "PLAIN", Some(false));
        check("!static:all", "PLAIN", Some(false));
    }
}
