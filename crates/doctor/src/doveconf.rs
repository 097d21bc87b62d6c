//! What `doveconf` prints: blocks within blocks, and settings in them.
//!
//! Its text goes in, a tree comes out. Lines of an unknown shape are passed over.
//!
//! Source: Dovecot `src/config/doveconf.c`; 2.4 names blocks (`passdb passwd-file {`) where 2.3 has a `driver` setting.

use std::collections::BTreeMap;

/// Deepest nesting that is kept; Dovecot's own has four levels.
const DEPTH_MAX: usize = 16;

/// A block, or the whole configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Block {
    /// `service`, `passdb`, `unix_listener`; empty for the whole.
    pub(crate) kind: String,
    /// What follows it: `auth`, a listener's path.
    pub(crate) name: String,
    settings: BTreeMap<String, String>,
    pub(crate) blocks: Vec<Block>,
}

impl Block {
    /// A setting, without quotes; empty if absent.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.settings.get(name).map_or("", String::as_str)
    }

    /// The first setting of several names that is there: settings were renamed between versions.
    pub(crate) fn first(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.settings.get(*name)).map(String::as_str)
    }

    /// The blocks of a kind.
    pub(crate) fn all<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Block> {
        self.blocks.iter().filter(move |block| block.kind == kind)
    }

    /// A service by its name.
    pub(crate) fn service(&self, name: &str) -> Option<&Block> {
        self.all("service").find(|block| block.name == name)
    }

    /// Whether a listener is switched off by its mode, in octal.
    pub(crate) fn is_off(&self) -> bool {
        u32::from_str_radix(self.get("mode"), 8) == Ok(0)
    }

    /// `$name` replaced by the setting it names, once.
    pub(crate) fn expanded<'a>(&'a self, value: &'a str) -> &'a str {
        match value.strip_prefix("$SET:").or_else(|| value.strip_prefix('$')) {
            Some(name) => self.get(name),
            None => value,
        }
    }
}

/// Takes the text apart.
pub(crate) fn parse(text: &str) -> Block {
    let mut open: Vec<Block> = vec![Block::default()];
    // Blocks opened below the deepest kept one.
    let mut too_deep = 0_usize;
    for line in text.lines() {
        let line = line.trim();
        if let Some(head) = line.strip_suffix('{').filter(|_| !line.starts_with('#')) {
            if open.len() > DEPTH_MAX {
                too_deep += 1;
            } else {
                let (kind, name) = head.trim().split_once(' ').unwrap_or((head.trim(), ""));
                open.push(Block { kind: kind.to_owned(), name: unquoted(name).to_owned(), ..Block::default() });
            }
        } else if line == "}" {
            if too_deep > 0 {
                too_deep -= 1;
            } else {
                close(&mut open);
            }
        } else if let Some((name, value)) = line.split_once(" =").filter(|_| !line.starts_with('#') && too_deep == 0)
            && let Some(block) = open.last_mut()
        {
            block.settings.insert(name.trim().to_owned(), unquoted(value).to_owned());
        }
    }
    while open.len() > 1 {
        close(&mut open);
    }
    open.pop().unwrap_or_default()
}

fn close(open: &mut Vec<Block>) {
    // A closing brace too many belongs to nothing.
    if open.len() > 1
        && let Some(block) = open.pop()
        && let Some(parent) = open.last_mut()
    {
        parent.blocks.push(block);
    }
}

fn unquoted(value: &str) -> &str {
    let value = value.trim();
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value).trim()
}

/// `2 secs`, `2s`, `1 mins`, `500 ms` in milliseconds.
pub(crate) fn milliseconds(value: &str) -> Option<u64> {
    let digits = value.len() - value.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = value.split_at_checked(digits)?;
    let factor = match unit.trim() {
        unit if unit.starts_with("ms") || unit.starts_with("mil") => 1,
        "" | "s" => 1000,
        unit if unit.starts_with("sec") => 1000,
        unit if unit.starts_with('m') => 60_000,
        unit if unit.starts_with('h') => 3_600_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SAMPLE: &str = "\
# 2.3.19.1 (9b53102964): /etc/dovecot/dovecot.conf
auth_mechanisms = plain login
protocols = \" imap lmtp\"
ssl_key = # hidden, use -P to show it
passdb {
  args = scheme=CRYPT /etc/users = x
  driver = passwd-file
}
passdb sql {
  sql_query = SELECT
}
service auth {
  unix_listener /var/spool/postfix/private/auth {
    mode = 0660
    user = $default_internal_user
  }
  unix_listener \"odd name\" {
  }
  user = dovecot
}
default_internal_user = dovecot
";

    #[test]
    fn blocks_and_settings() {
        let config = parse(SAMPLE);
        assert_eq!(config.get("auth_mechanisms"), "plain login");
        assert_eq!(config.get("protocols"), "imap lmtp");
        assert_eq!(config.get("nowhere"), "");
        assert_eq!(config.first(&["nowhere", "protocols"]), Some("imap lmtp"));
        let passdbs: Vec<(&str, &str)> = config.all("passdb").map(|b| (b.name.as_str(), b.get("args"))).collect();
        assert_eq!(passdbs, [("", "scheme=CRYPT /etc/users = x"), ("sql", "")]);
        let auth = config.service("auth").unwrap();
        assert_eq!(auth.get("user"), "dovecot");
        let listeners: Vec<&str> = auth.all("unix_listener").map(|block| block.name.as_str()).collect();
        assert_eq!(listeners, ["/var/spool/postfix/private/auth", "odd name"]);
        let owner = auth.all("unix_listener").next().unwrap().get("user");
        assert_eq!(config.expanded(owner), "dovecot");
        let off: Vec<bool> =
            ["mode = 0", "mode = 0000", "mode = 0600", "mode =", ""].map(|text| parse(text).is_off()).into();
        assert_eq!(off, [true, true, false, false, false]);
    }

    #[test]
    fn odd_output_is_no_crash() {
        for text in ["}}}}", "a {\nb {\nc = d", "{", " = ", "a {\n}\n}\nb = c", "# x {\n", &"a {\n".repeat(10_000)] {
            let _ = parse(text);
        }
        assert_eq!(parse("}\na = b").get("a"), "b");
        assert_eq!(parse(&("x {\n".repeat(40) + &"}\n".repeat(40) + "a = b")).get("a"), "b");
    }

    #[test]
    fn times() {
        let check = |text: &str, expected: Option<u64>| assert_eq!(milliseconds(text), expected, "{text}");
        check("2 secs", Some(2000));
        check("2s", Some(2000));
        check("500 ms", Some(500));
        check("500 msecs", Some(500));
        check("1 mins", Some(60_000));
        check("3", Some(3000));
        check("", None);
        check("soon", None);
        check("99999999999999999999 s", None);
        check("18446744073709551615 h", None);
    }

    proptest! {
        #[test]
        fn a_tree_printed_is_read_again(names in prop::collection::vec("[a-z_]{1,8}", 1..8), value in "[a-z0-9/]{1,9}( [a-z0-9=]{1,9})?") {
            let mut text = String::new();
            for name in &names { text += &format!("{name} {value} {{\n"); }
            text += &format!("deep = {value}\n");
            text += &"}\n".repeat(names.len());
            let mut block = &parse(&text);
            for name in &names {
                block = &block.blocks[0];
                prop_assert_eq!((&block.kind, &block.name), (name, &value));
            }
            prop_assert_eq!(block.get("deep"), value);
        }

        #[test]
        fn any_text_is_taken(text in "[a-z{}= \n#\"]{0,200}") {
            let _ = parse(&text);
        }
    }
}
