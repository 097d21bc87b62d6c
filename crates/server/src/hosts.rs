//! Which `Host` a request may name: others come from pages that had their own name point to this server (DNS rebinding).

use std::net::{IpAddr, SocketAddr};

/// Whether a server that listens there, and is also known by those names, may be asked for under this `Host`.
pub(crate) fn is_own(host: &str, listen: SocketAddr, names: &[String]) -> bool {
    let name = without_port(host);
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return ip.is_loopback() || ip == listen.ip() || listen.ip().is_unspecified() || is_named(bare, names);
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || is_named(name, names)
}

fn is_named(name: &str, names: &[String]) -> bool {
    names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_names_are_refused() {
        let own =
            |host: &str, listen: &str| is_own(host, listen.parse().unwrap(), &["insights.example.org".to_owned()]);
        for host in [
            "localhost",
            "LOCALHOST:8025",
            "127.0.0.1:8025",
            "[::1]:8025",
            "insights.example.org",
            "Insights.Example.org.:443",
        ] {
            assert!(own(host, "127.0.0.1:8025"), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "192.0.2.1",
            "127.0.0.1.evil.example",
            "[::2]",
            "insights.example.org.evil.example",
            "a b",
        ] {
            assert!(!own(host, "127.0.0.1:8025"), "{host}");
        }
        assert!(
            own("192.0.2.1:8025", "192.0.2.1:8025")
                && own("192.0.2.1", "0.0.0.0:80")
                && !own("evil.example", "0.0.0.0:80")
        );
    }
}
