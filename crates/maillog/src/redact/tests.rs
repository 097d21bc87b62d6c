//! Rows: a line, and what may be shown of it.

use super::*;

#[test]
fn no_wrapping_hides_a_secret() {
    let message = b"improper command pipelining after EHLO from u[192.0.2.1]: AUTH PLAIN AGFsaWNl\\r\\n";
    let folded =
        [b"Jun 17 10:25:14 m postfix/smtpd[7]: message repeated 2 times: [ ".as_slice(), message, b"]"].concat();
    let json = [
        b"{\"log\":\"".as_slice(),
        &message
            .to_vec()
            .iter()
            .flat_map(|b| if *b == b'\\' { vec![b'\\', b'\\'] } else { vec![*b] })
            .collect::<Vec<u8>>(),
        b"\"}",
    ]
    .concat();
    for line in [folded, json] {
        let shown = String::from_utf8_lossy(&redact_line(&line, message)).into_owned();
        assert!(shown.contains("AUTH PLAIN[redacted]") && !shown.contains("AGFs"), "{shown}");
    }
    assert!(matches!(redact_line(b"x: y", b"y"), Cow::Borrowed(b"x: y")));
}

#[test]
fn secrets_go_and_the_rest_stays() {
    let check = |text: &str, expected: &str| assert_eq!(String::from_utf8_lossy(&redact(text.as_bytes())), expected);
    check(
        "improper command pipelining after EHLO from u[192.0.2.1]: AUTH PLAIN AGFsaWNlAHNlY3JldA==\\r\\n",
        "improper command pipelining after EHLO from u[192.0.2.1]: AUTH PLAIN[redacted]",
    );
    check(
        "improper command pipelining after EHLO from u[192.0.2.1]: auth login\\r\\nYWxpY2U=\\r\\n",
        "improper command pipelining after EHLO from u[192.0.2.1]: auth login[redacted]",
    );
    check(
        "improper command pipelining after AUTH from u[192.0.2.1]: c2VjcmV0\\r\\n",
        "improper command pipelining after AUTH from u[192.0.2.1]: [redacted]",
    );
    check(
        "improper command pipelining after EHLO from u[192.0.2.1]:43839: AUTH PLAIN AGFsaWNlAHNlY3JldA==\\r\\nMAIL FROM: <a@x>",
        "improper command pipelining after EHLO from u[192.0.2.1]:43839: AUTH PLAIN[redacted]",
    );
    check(
        "improper command pipelining after EHLO from u[192.0.2.1]: AUTH\\tPLAIN\\tAGFsaWNlAHNlY3JldA==",
        "improper command pipelining after EHLO from u[192.0.2.1]: AUTH\\tPLAIN[redacted]",
    );
    check(
        "improper command pipelining after EHLO from u[192.0.2.1]: QUIT\\r\\n",
        "improper command pipelining after EHLO from u[192.0.2.1]: QUIT\\r\\n",
    );
    check(
        "warning: u[192.0.2.1]: request longer than 12288: AGFsaWNlAHNlY3JldA...",
        "warning: u[192.0.2.1]: request longer than 12288: [redacted]",
    );
    check(
        "auth: sql(u,192.0.2.1): unknown user (given password: Pass)word1)",
        "auth: sql(u,192.0.2.1): unknown user (given password: [redacted])",
    );
    check(
        "auth: sql(u,192.0.2.1): Password mismatch (given password: a) b) - trying the next passdb",
        "auth: sql(u,192.0.2.1): Password mismatch (given password: [redacted]) - trying the next passdb",
    );
    check(
        "auth: x(u,192.0.2.1): Password mismatch (SHA1 of given password: 21bd12)",
        "auth: x(u,192.0.2.1): Password mismatch (SHA1 of given password: [redacted])",
    );
    check("auth: x(u,192.0.2.1): Password mismatch", "auth: x(u,192.0.2.1): Password mismatch");
    check("< u[192.0.2.1]: AUTH PLAIN AGFsaWNlAHNlY3JldA==", "< u[192.0.2.1]: AUTH PLAIN[redacted]");
    check("< u[192.0.2.1]: c2VjcmV0", "< u[192.0.2.1]: [redacted]");
    check("< u[192.0.2.1]: QUIT", "< u[192.0.2.1]: QUIT");
    check(
        "xsasl_dovecot_server_first: sasl_method PLAIN, initial response AGFs",
        "xsasl_dovecot_server_first: sasl_method PLAIN, initial response [redacted]",
    );
    check(
        "warning: u[192.0.2.1]: SASL LOGIN authentication failed: UGFzc3dvcmQ6",
        "warning: u[192.0.2.1]: SASL LOGIN authentication failed: UGFzc3dvcmQ6",
    );
}

/// Each secret by its place; what else the line says stays.
#[test]
fn secrets_of_debug_lines_go() {
    let rows = [
        // Postfix src/xsasl/xsasl_dovecot_server.c, xsasl_cyrus_server.c; src/smtpd/smtpd_sasl_glue.c before 2.3.
        (
            "xsasl_dovecot_server_first: sasl_method PLAIN, init_response AGFsaWNlAHNlY3JldA==",
            "xsasl_dovecot_server_first: sasl_method PLAIN, init_response [redacted]",
        ),
        (
            "xsasl_cyrus_server_first: sasl_method PLAIN, init_response AGFsaWNl",
            "xsasl_cyrus_server_first: sasl_method PLAIN, init_response [redacted]",
        ),
        (
            "smtpd_sasl_authenticate: sasl_method PLAIN, init_response AGFsaWNl",
            "smtpd_sasl_authenticate: sasl_method PLAIN, init_response [redacted]",
        ),
        (
            "xsasl_cyrus_server_next: decoded response: secret99",
            "xsasl_cyrus_server_next: decoded response: [redacted]",
        ),
        (
            "xsasl_cyrus_server_next: decoded response: a initial response b: C(d) != 'e' cache hit: {X}f",
            "xsasl_cyrus_server_next: decoded response: [redacted]",
        ),
        (
            "xsasl_cyrus_server_first: decoded initial response secret 99",
            "xsasl_cyrus_server_first: decoded initial response [redacted]",
        ),
        // Postfix src/xsasl/xsasl_cyrus_client.c, src/smtp/smtp_sasl_glue.c.
        ("xsasl_cyrus_client_get_passwd: secret99", "xsasl_cyrus_client_get_passwd: [redacted]"),
        (
            "xsasl_cyrus_client_first: uncoded initial reply: \\000joe\\000secret99",
            "xsasl_cyrus_client_first: uncoded initial reply: [redacted]",
        ),
        (
            "xsasl_cyrus_client_next: uncoded client response joe 5e1f",
            "xsasl_cyrus_client_next: uncoded client response [redacted]",
        ),
        (
            "smtp_sasl_passwd_lookup: host `r.ex' user `joe' pass `secret'99'",
            "smtp_sasl_passwd_lookup: host `r.ex' user `joe' pass `[redacted]'",
        ),
        // Dovecot src/auth/auth-client-connection.c, with a tab and as syslog daemons write it.
        (
            "auth: Debug: client in: AUTH\t1\tPLAIN\tservice=smtp\tresp=AGFs",
            "auth: Debug: client in: AUTH\t1\tPLAIN\tservice=smtp\tresp=[redacted]",
        ),
        (
            "auth: Debug: client in: AUTH#0111#011PLAIN#011service=smtp#011resp=AGFs (previous base64 data may contain sensitive data)",
            "auth: Debug: client in: AUTH#0111#011PLAIN#011service=smtp#011resp=[redacted] (previous base64 data may contain sensitive data)",
        ),
        ("client in: AUTH\\0111\\011PLAIN\\011resp=AGFs", "client in: AUTH\\0111\\011PLAIN\\011resp=[redacted]"),
        ("auth: Debug: client in: CONT\t1\tc2Vj", "auth: Debug: client in: CONT\t1\t[redacted]"),
        (
            "auth(default): client in: CONT#0111#011c2Vj (previous base64 data may contain sensitive data)",
            "auth(default): client in: CONT#0111#011[redacted] (previous base64 data may contain sensitive data)",
        ),
        ("client in: CONT\\01112\\011c2Vj", "client in: CONT\\01112\\011[redacted]"),
        ("client in: CONT    1       c2Vj", "client in: CONT    1       [redacted]"),
        (
            "auth: Debug: client passdb out: OK\t1\tuser=joe\tpass=hunter2",
            "auth: Debug: client passdb out: OK\t1\tuser=joe\tpass=[redacted]",
        ),
        (
            "auth: Debug: client passdb out: OK#0111#011user=joe#011proxy#011pass=hun ter#2#011host=192.0.2.1#011proxy_pass=x#011master_pass=y#011ssl=any",
            "auth: Debug: client passdb out: OK#0111#011user=joe#011proxy#011pass=[redacted]#011host=192.0.2.1#011proxy_pass=[redacted]#011master_pass=[redacted]#011ssl=any",
        ),
        // Only what separates the fields of this line ends a password.
        (
            "client passdb out: OK\t1\tuser=joe\tpass=a#011b=c d\tpassword=e\tnologin",
            "client passdb out: OK\t1\tuser=joe\tpass=[redacted]\tpassword=[redacted]\tnologin",
        ),
        (
            "client passdb out: OK\\0111\\011user=joe\\011password=e\\011nologin",
            "client passdb out: OK\\0111\\011user=joe\\011password=[redacted]\\011nologin",
        ),
        ("client passdb out: OK 1 user=joe pass=a b", "client passdb out: OK 1 user=joe pass=[redacted]"),
        (
            "auth: Debug: master userdb out: USER\t7\tjoe\tuid=5\tuserdb_pass=x\thome=/h",
            "auth: Debug: master userdb out: USER\t7\tjoe\tuid=5\tuserdb_pass=[redacted]\thome=/h",
        ),
        // Dovecot src/auth/auth-request.c: what was typed, and what is stored, which PLAIN stores as it is.
        (
            "auth: Debug: sql(u@ex.test,192.0.2.1): CRYPT(secret99) != '$1$abc$def'",
            "auth: Debug: sql(u@ex.test,192.0.2.1): CRYPT([redacted]) != '[redacted]'",
        ),
        ("CRYPT(secret99) != '$1$abc$def'", "CRYPT([redacted]) != '[redacted]'"),
        (
            "auth: Error: sql(u,192.0.2.1): Invalid password 'se'cret' in passdb: Not a valid SHA512-CRYPT",
            "auth: Error: sql(u,192.0.2.1): Invalid password '[redacted]",
        ),
        (
            "auth: shadow(u,192.0.2.1): invalid password field '!$6$salt$hash'",
            "auth: shadow(u,192.0.2.1): invalid password field '[redacted]",
        ),
        (
            "auth: Debug: ldap(u): result: uid=u userPassword={CRYPT}x",
            "auth: Debug: ldap(u): result: uid=u userPassword=[redacted]",
        ),
        (
            "auth(u,192.0.2.1,sasl:plain)<x>: Debug: sql: PLAIN(a) != 'b: C(d') != 'e'', try SHA512-CRYPT scheme instead",
            "auth(u,192.0.2.1,sasl:plain)<x>: Debug: sql: PLAIN([redacted]) != '[redacted]', try SHA512-CRYPT scheme instead",
        ),
        (
            "auth: Debug: ldap(u,192.0.2.1): SSHA256.b64(x (y) != 'c2Vj'",
            "auth: Debug: ldap(u,192.0.2.1): SSHA256.b64([redacted]) != '[redacted]'",
        ),
        (
            "auth: Debug: ldap(u,192.0.2.1): crypt(secret99) != '$1$",
            "auth: Debug: ldap(u,192.0.2.1): crypt([redacted]) != '[redacted]",
        ),
        // Dovecot src/auth/passdb-cache.c.
        (
            "auth: Debug: sql(u,192.0.2.1): cache hit: {PLAIN}secret99",
            "auth: Debug: sql(u,192.0.2.1): cache hit: {PLAIN}[redacted]",
        ),
        (
            "auth: Debug: cache(u,192.0.2.1): hit: {SHA512-CRYPT}$6$ab#011user=u#011pass=x#011host=h",
            "auth: Debug: cache(u,192.0.2.1): hit: {SHA512-CRYPT}[redacted]#011user=u#011pass=[redacted]#011host=h",
        ),
        ("cache hit: {PLAIN}a#011b\tuser=u", "cache hit: {PLAIN}[redacted]\tuser=u"),
        ("cache hit: {secret99", "cache hit: [redacted]"),
        // A password that looks like another rule's secret goes with all of it.
        (
            "auth: sql(u,192.0.2.1): unknown user (given password: x: A(b) != 'c cache hit: {D}e)",
            "auth: sql(u,192.0.2.1): unknown user (given password: [redacted])",
        ),
        ("client passdb out: OK\t1\tpass=x\tresp=y resp=z", "client passdb out: OK\t1\tpass=[redacted]"),
        (
            "auth: sql(cache hit: {x}z#011,192.0.2.1): unknown user (given password: y)",
            "auth: sql(cache hit: {x}[redacted]",
        ),
    ];
    for (text, expected) in rows {
        let shown = redact(text.as_bytes()).into_owned();
        assert_eq!(String::from_utf8_lossy(&shown), expected, "{text}");
        assert_eq!(redact(&shown), shown.as_slice(), "twice is not once: {text}");
    }
}

#[test]
fn secrets_of_dialogues_go() {
    let rows = [
        // Postfix src/postscreen/postscreen_early.c, postscreen_smtpd.c.
        (
            "PREGREET 41 after 0.1 from [192.0.2.1]:4711: EHLO x\\r\\nAUTH PLAIN AGFsaWNl\\r\\n",
            "PREGREET 41 after 0.1 from [192.0.2.1]:4711: EHLO x\\r\\nAUTH PLAIN[redacted]",
        ),
        (
            "PREGREET 41 after 0.1 from [2001:db8::1]:4711: EHLO x\\r\\nauth login\\r\\nYWxpY2U=\\r\\nc2VjcmV0\\r\\n",
            "PREGREET 41 after 0.1 from [2001:db8::1]:4711: EHLO x\\r\\nauth login[redacted]",
        ),
        (
            "COMMAND PIPELINING from [192.0.2.1]:4711 after EHLO: AUTH PLAIN AGFsaWNl\\r\\n",
            "COMMAND PIPELINING from [192.0.2.1]:4711 after EHLO: AUTH PLAIN[redacted]",
        ),
        (
            "COMMAND PIPELINING from [192.0.2.1]:4711 after auth: c2VjcmV0\\r\\n",
            "COMMAND PIPELINING from [192.0.2.1]:4711 after auth: [redacted]",
        ),
        (
            "NON-SMTP COMMAND from [192.0.2.1]:4711 after EHLO: AUTH PLAIN AGFsaWNl",
            "NON-SMTP COMMAND from [192.0.2.1]:4711 after EHLO: AUTH PLAIN[redacted]",
        ),
        (
            "BARE NEWLINE from [192.0.2.1]:4711 after AUTH PLAIN AGFsaWNl",
            "BARE NEWLINE from [192.0.2.1]:4711 after AUTH PLAIN[redacted]",
        ),
        // Postfix src/smtp/smtp_chat.c.
        ("> r.ex[198.51.100.1]:587: AUTH PLAIN AGFsaWNl", "> r.ex[198.51.100.1]:587: AUTH PLAIN[redacted]"),
        ("> r.ex[198.51.100.1]:587: YWxpY2U=", "> r.ex[198.51.100.1]:587: [redacted]"),
        ("> r.ex[private/relay]: c2VjcmV0", "> r.ex[private/relay]: [redacted]"),
        ("< [192.0.2.1]:4711: AUTH PLAIN AGFsaWNl", "< [192.0.2.1]:4711: AUTH PLAIN[redacted]"),
    ];
    for (text, expected) in rows {
        let shown = redact(text.as_bytes()).into_owned();
        assert_eq!(String::from_utf8_lossy(&shown), expected, "{text}");
        assert_eq!(redact(&shown), shown.as_slice(), "twice is not once: {text}");
    }
}

#[test]
fn what_only_looks_like_a_secret_stays() {
    for text in [
        "xsasl_dovecot_server_first: sasl_method PLAIN",
        "xsasl_dovecot_server_first: sasl_method PLAIN, init_response ",
        "xsasl_dovecot_server_first: sasl_method PLAIN, init_response",
        "smtpd_sasl_authenticate: decoded initial response ",
        "xsasl_dovecot_handle_reply: auth reply: FAIL?1?user=joe",
        "xsasl_cyrus_client_next: decoded challenge: <1.2@h>",
        "smtp_sasl_passwd_lookup: no auth info found (sender=`a', host=`b')",
        "connect from init_response.example[192.0.2.1]",
        "auth: Debug: client in: AUTH#0111#011PLAIN#011service=smtp#011resp=<hidden>",
        "auth: Debug: client in: AUTH#0111#011LOGIN#011final-resp-ok#011service=smtp",
        "auth: Debug: client in: CONT<hidden>",
        "auth: Debug: client in: CONT#0111#011",
        "auth: Debug: client passdb out: CONT#0111#011UGFzc3dvcmQ6",
        "auth: Debug: client passdb out: OK\t1\tuser=pass\tpass=<hidden>\tnopassword",
        "auth: Debug: client passdb out: OK#0111#011user=joe#011pass=#011nologin",
        "auth: Debug: client passdb out: FAIL\t1\tuser=pass=x",
        "timed out: OK\t1\tpass=x",
        "auth: Debug: sql(u,192.0.2.1): cache hit: <hidden>\tuser={x}",
        "auth: Debug: sql(u,192.0.2.1): userdb cache hit: uid=5\tname={x}",
        "auth: Debug: sql(u,192.0.2.1): hit: {x}y",
        "warning: cache miss: {x}y",
        "auth: Debug: sql(u,192.0.2.1) != 'x'",
        "auth: Debug: shadow(u,192.0.2.1): f(x) != 'x'",
        "fatal: strlen(x) != '0'",
        "0F5383D12: reject: to HELO(x) != 'y'",
        "0F5383D12: reject: (x) != 'y'",
        "PREGREET 14 after 0.04 from [192.0.2.1]:4711: EHLO ylmf-pc\\r\\n",
        "PREGREET 14 after 0.04 from [192.0.2.1]:4711: EHLO x\\r\\nAUTH LOGIN\\r\\n",
        "PREGREET 11 after 0 from [192.0.2.1]:4711: \\026\\003\\001",
        "COMMAND PIPELINING from [192.0.2.1]:4711 after EHLO: QUIT\\r\\n",
        "COMMAND PIPELINING from [192.0.2.1]:4711 after OAUTH: QUIT\\r\\n",
        "NON-SMTP COMMAND from [192.0.2.1]:4711 after CONNECT: GET / HTTP/1.1",
        "BARE NEWLINE from [192.0.2.1]:4711 after EHLO x",
        "PASS NEW [192.0.2.1]:4711",
        "> u[192.0.2.1]: 250-AUTH PLAIN LOGIN",
        "> u[192.0.2.1]: 334 VXNlcm5hbWU6",
        "< r.ex[198.51.100.1]:587: 250-AUTH PLAIN LOGIN",
        "< r.ex[198.51.100.1]:587: 250-PIPELINING",
        "< r.ex[198.51.100.1]:587: 235 2.7.0 Ok",
        "> r.ex[198.51.100.1]:587: AUTH LOGIN",
        "> r.ex[198.51.100.1]:587: STARTTLS",
        "> r.ex[198.51.100.1]:587: MAIL FROM:<a@ex.test> AUTH=<>",
        "> r.ex[private/lmtp]: LHLO mail.ex.test",
        "> r.ex[198.51.100.1]:25: .",
        "> r.ex[198.51.100.1]:587: *",
        "> quoted: text",
    ] {
        assert!(matches!(redact(text.as_bytes()), Cow::Borrowed(kept) if kept == text.as_bytes()), "{text}");
    }
}

/// The words that tell the cause stay, the literals go: which of them is the password, nobody but the administrator knows.
#[test]
fn literals_of_statements_go() {
    let rows = [
        (
            "auth: Debug: sql(joe,192.0.2.1): query: SELECT u FROM users WHERE u = 'joe' AND password = 'secret'",
            "auth: Debug: sql(joe,192.0.2.1): query: SELECT u FROM users WHERE u = '[redacted]' AND password = '[redacted]'",
        ),
        (
            "query: SELECT NULL AS password, 'Y' as nopassword FROM t WHERE mysql_pass = PASSWORD('secret')",
            "query: SELECT NULL AS password, '[redacted]' as nopassword FROM t WHERE mysql_pass = PASSWORD('[redacted]')",
        ),
        (
            "query: SELECT u FROM t WHERE p = ENCRYPT(\"se'cret\", password) OR p=SHA2('x', 256)",
            "query: SELECT u FROM t WHERE p = ENCRYPT(\"[redacted]\", password) OR p=SHA2('[redacted]', 256)",
        ),
        (
            "query: select * from check_login('joe','secret')",
            "query: select * from check_login('[redacted]','[redacted]')",
        ),
        ("query: CALL check_login('joe', 'secret')", "query: CALL check_login('[redacted]', '[redacted]')"),
        ("query: SELECT 'it''s secret' AS password", "query: SELECT '[redacted]' AS password"),
        ("query: SELECT '' AS a, 'secret' AS b", "query: SELECT '' AS a, '[redacted]' AS b"),
        (
            "sql plugin doing query SELECT p FROM t WHERE p = 'secret';",
            "sql plugin doing query SELECT p FROM t WHERE p = '[redacted]';",
        ),
        (
            "Query failed: Unknown column 'passwrd' in 'where clause' (SELECT u FROM t WHERE passwrd='secret')",
            "Query failed: Unknown column 'passwrd' in 'where clause' (SELECT u FROM t WHERE passwrd='[redacted]')",
        ),
        (
            "Password query failed: near 'SELECT u FROM t WHERE p = \"secret\"' at line 1",
            "Password query failed: near 'SELECT u FROM t WHERE p = \"[redacted]\"' at line 1",
        ),
        (
            "Password query failed: You have an error in your SQL syntax; check the manual for the right syntax to use near '= 'joe' AND p = 'secret'' at line 1",
            "Password query failed: You have an error in your SQL syntax; check the manual for the right syntax to use near '= '[redacted]' AND p = '[redacted]",
        ),
        // Where a literal ends is not certain, or it is cut off: all of it goes.
        ("query: SELECT 'a\\' AND p = 'secret'", "query: SELECT '[redacted]"),
        ("query: SELECT 'a'secret'", "query: SELECT '[redacted]"),
        ("failed: 'SELECT u FROM t WHERE p = 'secr", "failed: 'SELECT u FROM t WHERE p = '[redacted]"),
        // What else is known of a secret goes as well.
        (
            "query: SELECT 'joe' FROM t WHERE password=12345 (postgresql://joe:secret@h/m)",
            "query: SELECT '[redacted]' FROM t WHERE password=[redacted])",
        ),
        (
            "postgresql://joe:secret@h/m: SELECT 'joe' FROM t",
            "postgresql://joe:[redacted]@h/m: SELECT '[redacted]' FROM t",
        ),
    ];
    for (text, expected) in rows {
        shows(text, expected);
    }
}

#[test]
fn passwords_of_addresses_go() {
    let rows = [
        (
            "warning: connect to pgsql server postgresql://postfix:secret@127.0.0.1/mail: refused",
            "warning: connect to pgsql server postgresql://postfix:[redacted]@127.0.0.1/mail: refused",
        ),
        (
            "a ldap://u:se@c/r?e:t@h:389/x b redis://:x@h",
            "a ldap://u:[redacted]@c/r?e:t@h:389/x b redis://:[redacted]@h",
        ),
        ("postgresql://joe:sec/ret@h/mail", "postgresql://joe:[redacted]@h/mail"),
        ("postgresql://joe:/secret@h/mail", "postgresql://joe:[redacted]@h/mail"),
    ];
    for (text, expected) in rows {
        shows(text, expected);
    }
}

/// What clients send at places where no one expects it.
#[test]
fn responses_go_wherever_they_stand() {
    let rows = [
        (
            "u[192.0.2.1]: replacing command \"AUTH PLAIN AGFsaWNlAHNlY3JldA==\" with \"NOOP\"",
            "u[192.0.2.1]: replacing command \"AUTH PLAIN[redacted]",
        ),
        (
            "[192.0.2.1]:4711: replacing command \"auth plain AGFsaWNlAHNlY3JldA==\" with \"NOOP\"",
            "[192.0.2.1]:4711: replacing command \"auth plain[redacted]",
        ),
        (
            "warning: non-SMTP command from u[192.0.2.1]: AUTH PLAIN AGFsaWNlAHNlY3JldA==",
            "warning: non-SMTP command from u[192.0.2.1]: AUTH PLAIN[redacted]",
        ),
        (
            "warning: non-SMTP command from u[192.0.2.1]: 2WVjcmV0",
            "warning: non-SMTP command from u[192.0.2.1]: [redacted]",
        ),
        (
            "warning: non-SMTP command from u[192.0.2.1]: +SHVudGVyMg==",
            "warning: non-SMTP command from u[192.0.2.1]: [redacted]",
        ),
        (
            "warning: u[192.0.2.1]: SASL PLAIN authentication failed: AGFsaWNlAHNlY3JldA==",
            "warning: u[192.0.2.1]: SASL PLAIN authentication failed: [redacted]",
        ),
        (
            "warning: u[192.0.2.1]: SASL XOAUTH2 authentication failed: dXNlcj1hQGIuYwFhdXRoPUJlYXJlciB4AQE=, sasl_username=joe",
            "warning: u[192.0.2.1]: SASL XOAUTH2 authentication failed: [redacted], sasl_username=joe",
        ),
        (
            "warning: u[192.0.2.1]: SASL AGFsaWNlAHNlY3JldA== authentication failed: Invalid authentication mechanism: 'AGFsaWNlAHNlY3JldA==', sasl_username=AGFsaWNlAHNlY3JldA==",
            "warning: u[192.0.2.1]: SASL [redacted] authentication failed: Invalid authentication mechanism: '[redacted]', sasl_username=[redacted]",
        ),
        (
            "maps_find: smtp_sasl_password_maps: hash:/etc/postfix/sasl_passwd(0,lock|fold_fix): [r.ex]:587 = joe:sec = ret",
            "maps_find: smtp_sasl_password_maps: hash:/etc/postfix/sasl_passwd(0,lock|fold_fix): [r.ex]:587 = [redacted]",
        ),
        (
            "xsasl_dovecot_handle_reply: auth reply: OK?1?user=joe?pass=secret",
            "xsasl_dovecot_handle_reply: auth reply: OK?1?user=joe?pass=[redacted]",
        ),
        (
            "auth_rimap: sending saslauthd LOGIN \"joe\" \"secret\"",
            "auth_rimap: sending saslauthd LOGIN \"joe\" [redacted]",
        ),
        (
            "auth_rimap: sending saslauthd LOGIN \"jo\\\" e\" \"secret\"",
            "auth_rimap: sending saslauthd LOGIN \"jo\\\" e\" [redacted]",
        ),
        ("auth_rimap: sending saslauthd LOGIN {3}", "auth_rimap: sending saslauthd LOGIN [redacted]"),
        (
            "auth: Debug: ldap(joe,192.0.2.1): result: uid(user)=joe userPassword(password)={SSHA}abc password=x",
            "auth: Debug: ldap(joe,192.0.2.1): result: uid(user)=joe userPassword(password)=[redacted]",
        ),
        (
            "auth: Debug: passwd-file(joe,192.0.2.1): Credentials: 736563726574",
            "auth: Debug: passwd-file(joe,192.0.2.1): Credentials: [redacted]",
        ),
        ("Credentials: 736563726574", "Credentials: [redacted]"),
    ];
    for (text, expected) in rows {
        shows(text, expected);
    }
}

/// What is asked of a failure's parts and of the line without its secrets is the same.
#[test]
fn parts_of_a_failure_hold_no_secret() {
    for (line, mechanism, reason, name) in [
        ("SASL PLAIN authentication failed: AGEAYg=", "PLAIN", "AGEAYg=", None),
        ("SASL PLAIN authentication failed: AGEAYmM=x", "PLAIN", "AGEAYmM=x", None),
        ("SASL PLAIN authentication failed: AGEAYmNk", "PLAIN", "[redacted]", None),
        ("SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username=AGEAYmNk", "LOGIN", "UGFzc3dvcmQ6", None),
        ("SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username=joe", "LOGIN", "UGFzc3dvcmQ6", Some("joe")),
        (
            "SASL AGEAYmNk authentication failed: Invalid authentication mechanism: 'AGEAYmNk', sasl_username=joe",
            "[redacted]",
            "Invalid authentication mechanism: '[redacted]'",
            Some("joe"),
        ),
    ] {
        let line = format!("warning: u[192.0.2.1]: {line}");
        let shown = redact(line.as_bytes());
        for text in [line.as_bytes(), &shown] {
            let failure = crate::sasl::failure(&text["warning: ".len()..]).unwrap();
            let name = name.map(str::as_bytes);
            assert_eq!(
                (failure.mechanism, failure.reason, failure.username.name()),
                (mechanism.as_bytes(), reason.as_bytes(), name),
                "{line}"
            );
        }
    }
}

#[track_caller]
fn shows(text: &str, expected: &str) {
    let shown = redact(text.as_bytes()).into_owned();
    assert_eq!(String::from_utf8_lossy(&shown), expected, "{text}");
    assert_eq!(String::from_utf8_lossy(&redact(&shown)), expected, "twice is not once: {text}");
    assert!(holds_secret(text.as_bytes()) && holds_secret(&shown), "{text}");
}

#[test]
fn harmless_quotes_addresses_and_base64_stay() {
    for text in [
        "auth: Error: sql(joe,192.0.2.1): Password query failed: Unknown column 'passwrd' in 'where clause'",
        "auth: Error: mysql(127.0.0.1): Connect failed to database (mail): Access denied for user 'mail'@'localhost' (using password: YES)",
        "warning: mysql query failed: Table 'mail.users' doesn't exist",
        "query: SELECT u FROM users WHERE u = ''",
        "error: call to 'connect' failed, please select 'other', or update it to 'x'",
        "NOQUEUE: reject: RCPT from u[192.0.2.1]: 554 5.7.1 <SELECT 'a>: x; from=<a@b> to=<c@d>",
        "0F5383D12: to=<a@b>, relay=x, status=bounced (550 SELECT 'one')",
        "see http://www.ex/x?y=a@b, https://[2001:db8::1]:443/@x, http://h:80/@x, x:// postgresql://joe@h/m, ldap://h:389",
        "warning: u[192.0.2.1]: SASL CRAM-MD5 authentication failed: PDE3LjFAaC5leD4=",
        "warning: u[192.0.2.1]: SASL LOGIN authentication failed: VXNlcm5hbWU6, sasl_username=SELECT",
        "warning: non-SMTP command from u[192.0.2.1]: GET / HTTP/1.1",
        "warning: non-SMTP command from u[192.0.2.1]: \\026\\003\\001",
        "u[192.0.2.1]: replacing command \"EHLO x\" with \"NOOP\"",
        "maps_find: virtual_alias_maps: hash:/etc/postfix/virtual(0,lock): a@b = c@d",
        "maps_find: smtp_sasl_password_maps: [r.ex]:587: not found",
        "auth_rimap: [joe] authenticated",
        "Credentials lookup failed",
    ] {
        assert!(matches!(redact(text.as_bytes()), Cow::Borrowed(kept) if kept == text.as_bytes()), "{text}");
    }
}

/// What a client says before it may look like a secret of another kind, or like another of Postfix' lines.
#[test]
fn what_stands_before_hides_no_command() {
    const PLAIN: &str = "AGFsaWNlQGV4YW1wbGUudGVzdABTRUNSRVQtcGFzc3dvcmQ=";
    for junk in [
        "x: request longer than y",
        "(given password: x) ",
        "resp=x (previous base64 data may contain sensitive data) ",
    ] {
        for leak in [
            "warning: non-SMTP command from h[192.0.2.1]: ",
            "h[192.0.2.1]: replacing command \"",
            "warning: h[192.0.2.1]: request longer than 12288: ",
        ] {
            let text = format!("{leak}{junk} AUTH PLAIN {PLAIN}\\r\\n>, rele: x");
            let shown = String::from_utf8(redact(text.as_bytes()).into_owned()).unwrap();
            assert!(!shown.contains(PLAIN), "{shown}");
        }
    }
}
