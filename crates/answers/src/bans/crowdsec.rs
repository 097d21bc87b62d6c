//! CrowdSec's decisions, as `cscli decisions list -o json` prints them.
//!
//! JSON text goes in; who is banned, why, and by whom comes out. Both shapes are read: a list of alerts that hold decisions (`cscli`), and
//! a plain list of decisions (its local API).

use anyhow::Context as _;
use ipnet::IpNet;
use serde_json::Value;

/// Decisions read at most.
const MOST: usize = 100_000;

/// A decision that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whom it concerns.
    pub net: IpNet,
    /// `ban`, `captcha`, …
    pub kind: String,
    /// Which rule decided.
    pub scenario: String,
    /// Who decided: `crowdsec`, `cscli`, `CAPI` (a shared list), …
    pub origin: String,
    /// How long it will last still, as written: `3h59m`.
    pub duration: String,
}

/// Reads the decisions about addresses and networks.
pub fn decisions(text: &str) -> anyhow::Result<Vec<Decision>> {
    let whole: Value =
        serde_json::from_str(text).context("not JSON; write it with `cscli decisions list -o json > FILE`")?;
    let items = match &whole {
        Value::Null => return Ok(Vec::new()),
        Value::Array(items) => items,
        _ => anyhow::bail!("not a list; write it with `cscli decisions list -o json > FILE`"),
    };
    let inner = items.iter().flat_map(|item| match item.get("decisions") {
        Some(Value::Array(decisions)) => decisions.as_slice(),
        _ => std::slice::from_ref(item),
    });
    Ok(inner.filter_map(decision).take(MOST).collect())
}

fn decision(item: &Value) -> Option<Decision> {
    let text = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let value = text("value");
    let net = value.parse::<IpNet>().ok().or_else(|| value.parse().ok().map(|ip: std::net::IpAddr| IpNet::from(ip)))?;
    Some(Decision {
        net,
        kind: text("type"),
        scenario: text("scenario"),
        origin: text("origin"),
        duration: text("duration"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_of_both_shapes() {
        let one = r#"{"duration":"3h59m","id":1,"origin":"crowdsec","scenario":"crowdsecurity/postfix-spam","scope":"Ip","type":"ban","value":"203.0.113.9"}"#;
        let range = r#"{"origin":"CAPI","scenario":"x","scope":"Range","type":"ban","value":"198.51.100.0/24"}"#;
        let alerts = format!(r#"[{{"id":7,"decisions":[{one},{range}]}},{{"id":8,"decisions":[]}}]"#);
        let found = decisions(&alerts).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].net.to_string(), found[0].duration.as_str()), ("203.0.113.9/32".to_owned(), "3h59m"));
        assert_eq!(decisions(&format!("[{one},{range}]")).unwrap(), found);
        assert_eq!(decisions("null").unwrap(), []);
        assert_eq!(decisions(r#"[{"scope":"Country","value":"AQ"}, 7]"#).unwrap(), []);
        assert!(decisions("{}").is_err() && decisions("no").is_err());
    }
}
