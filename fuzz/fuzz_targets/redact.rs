//! Redaction: nothing but secrets is touched, and a planted secret is gone whatever stands around it.
#![no_main]

/// Base64 of a PLAIN response, as a stranger's log would hold it.
const SECRET: &str = "AGFsaWNlQGV4YW1wbGUudGVzdABTRUNSRVQtcGFzc3dvcmQ=";

/// What Postfix writes before the text it quotes.
const LEAKS: [&str; 7] = [
    "improper command pipelining after EHLO from h[192.0.2.1]: ",
    "improper command pipelining after EHLO from h[192.0.2.1]:43839: ",
    "improper command pipelining after AUTH from h[192.0.2.1]: ",
    "improper command pipelining after DATA content from unknown[unknown]: ",
    "warning: h[192.0.2.1]: request longer than 12288: ",
    "warning: non-SMTP command from h[192.0.2.1]: ",
    "h[192.0.2.1]: replacing command \"",
];

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzz::both(data, fuzz::check_redact);
    let Some((first, junk)) = data.split_first() else { return };
    let (before, after) = junk.split_at(junk.len() / 2);
    let leak = LEAKS.get(usize::from(*first) % LEAKS.len()).unwrap_or(&"");
    let command: &[u8] = if first & 0x80 == 0 { b"AUTH PLAIN " } else { b"auth  login " };
    let text = [leak.as_bytes(), before, command, SECRET.as_bytes(), b"\\r\\n", after].concat();
    let shown = maillog::redact(&text);
    // Junk of the fuzzer's own may spell the secret; what counts is the planted one.
    let spelled = junk.windows(SECRET.len()).any(|w| w == SECRET.as_bytes());
    assert!(
        spelled || !shown.windows(SECRET.len()).any(|w| w == SECRET.as_bytes()),
        "{}",
        String::from_utf8_lossy(&shown)
    );
});
