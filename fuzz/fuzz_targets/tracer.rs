//! Whole logs: no panic, nothing counted that no line tells of, and two tracers agree.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let raw = fuzz::play(data.split(|b| *b == b'\n'));
    raw.check();
    assert_eq!(raw, fuzz::play(data.split(|b| *b == b'\n')));
    fuzz::mail(data.split(|b| *b == b'\n')).check();
    // Folded: a line is what one line's bytes name, behind an envelope that can be read. Few processes, so that they meet.
    let lines: Vec<Vec<u8>> = data
        .split(|b| *b == b'\n')
        .take(64)
        .filter_map(|line| {
            let (first, rest) = line.split_first()?;
            let text = fuzz::folded(rest.get(..24).unwrap_or(rest));
            let program = [
                "postfix/smtpd",
                "postfix/submission/smtpd",
                "postfix",
                "dovecot",
                "postfix/smtp",
                "postfix/qmgr",
                "saslauthd",
                "postfix/cleanup",
            ]
            .get(usize::from(first >> 2) % 8)?;
            Some([format!("Jun 17 10:25:14 mail {program}[{}]: ", first & 3).as_bytes(), &text].concat())
        })
        .collect();
    let folded = fuzz::play(lines.iter().map(Vec::as_slice));
    folded.check();
    assert_eq!(folded, fuzz::play(lines.iter().map(Vec::as_slice)));
    fuzz::mail(lines.iter().map(Vec::as_slice)).check();
});
