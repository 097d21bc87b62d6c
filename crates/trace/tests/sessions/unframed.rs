//! Logs without `connect` and `disconnect`: where one session ends and the next begins.

use crate::joins::log;
use crate::sink::play;

/// A client logs in once in a session: another account in the same process is another login.
#[test]
fn another_account_is_another_login() {
    let client = |name: &str, more: &str| {
        format!("postfix/smtpd[1]: 3F2A91B7C{name}: client=h[192.0.2.1], sasl_method=PLAIN, sasl_username={name}{more}")
    };
    let (one, two) = (client("1", ""), client("2", ""));
    let logins = |lines: &[(i64, &str)]| play(&log(lines), true).counts["login"];
    assert_eq!(logins(&[(0, &one), (10, &one)]), 1);
    assert_eq!(logins(&[(0, &one), (10, &one), (20, &two), (30, &two), (40, &one)]), 3);
    // The counters count what the lines have told of.
    let (connect, disconnect) = (
        "postfix/smtpd[1]: connect from h[192.0.2.1]",
        "postfix/smtpd[1]: disconnect from h[192.0.2.1] ehlo=1 auth=1 mail=2 rcpt=2 data=2 quit=1 commands=8",
    );
    assert_eq!(logins(&[(0, connect), (1, &one), (2, &one), (3, disconnect), (4, connect), (5, &two)]), 2);
}
