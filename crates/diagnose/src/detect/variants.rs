//! Whether several login names are one person's tries at their own: names go in, how many people they may be comes out.
//!
//! Whoever sets up a new device tries `anna`, `anna.meyer`, `anna.meyer@mail.example.org` and a typing error or two; an attacker's list
//! names many people. Long lists are never one person's.

use super::rows::Spelled;

/// A person tries so many forms of a name at most.
pub(crate) const FORMS: usize = 12;
/// A shorter word is part of too many names to mean the same person.
const WORD: usize = 3;
/// In a shorter word one letter more or less is another name.
const TYPED: usize = 5;

/// How many people the names without an account may be, besides those who have one among `known`. Names beyond [`FORMS`] count as they are.
pub(crate) fn strangers(known: &[Spelled], strange: &[Spelled]) -> usize {
    if strange.len() > FORMS {
        return strange.len();
    }
    // The groups found so far, each with its forms; the first holds those of people who are known.
    let mut groups: Vec<Vec<Vec<u8>>> = vec![known.iter().take(FORMS).map(|name| local(name)).collect()];
    for form in strange.iter().map(|name| local(name)) {
        let (same, others): (Vec<_>, Vec<_>) =
            groups.drain(1..).partition(|group| group.iter().any(|other| is_same(other, &form)));
        let is_known = groups.iter().flatten().any(|other| is_same(other, &form));
        let mut joined: Vec<Vec<u8>> = same.into_iter().flatten().collect();
        joined.push(form);
        groups.extend(others);
        match groups.first_mut().filter(|_| is_known) {
            Some(people) => people.extend(joined),
            None => groups.push(joined),
        }
    }
    groups.len() - 1
}

/// The letters and digits of a name without its domain, without case.
pub(crate) fn local(name: &[u8]) -> Vec<u8> {
    let name = name.rsplit(|byte| matches!(byte, b'\\' | b'/')).next().unwrap_or(name);
    let local = name.iter().position(|byte| *byte == b'@').and_then(|at| name.get(..at)).unwrap_or(name);
    let plain = |byte: &&u8| byte.is_ascii_alphanumeric() || !byte.is_ascii();
    local.iter().filter(plain).map(u8::to_ascii_lowercase).collect()
}

/// What stands behind the `@` of a name, without case; empty if it has none.
pub(crate) fn domain(name: &[u8]) -> Vec<u8> {
    let domain = name.iter().rposition(|byte| *byte == b'@').and_then(|at| name.get(at + 1..));
    domain.unwrap_or_default().to_ascii_lowercase()
}

fn is_same(a: &[u8], b: &[u8]) -> bool {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let part = short.len() >= WORD && (long.starts_with(short) || long.ends_with(short));
    // Names that count up are no typing errors.
    let digits =
        || short.iter().filter(|byte| byte.is_ascii_digit()).eq(long.iter().filter(|byte| byte.is_ascii_digit()));
    let near = short.len() >= TYPED && short.len() + 1 >= long.len() && digits();
    short == long || part || near && is_one_slip(short, long)
}

/// Whether one slip of the fingers makes one of the other: a letter left out, one more, another one, or two in the wrong order. Asked of
/// each two names of many sources, so it does not work out how far apart others are.
fn is_one_slip(short: &[u8], long: &[u8]) -> bool {
    let start = short.iter().zip(long).take_while(|(a, b)| a == b).count();
    let (short, long) = (short.get(start..).unwrap_or_default(), long.get(start..).unwrap_or_default());
    let end = short.iter().rev().zip(long.iter().rev()).take_while(|(a, b)| a == b).count();
    match (short.get(..short.len() - end), long.get(..long.len() - end)) {
        (Some([]), Some([] | [_])) | (Some([_]), Some([_])) => true,
        (Some([a, b]), Some([c, d])) => a == d && b == c,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(known: &[&str], strange: &[&str]) -> usize {
        let boxed = |names: &[&str]| names.iter().map(|name| name.as_bytes().into()).collect::<Vec<Spelled>>();
        strangers(&boxed(known), &boxed(strange))
    }

    #[test]
    fn forms_of_one_name_are_one_person() {
        let forms =
            ["Anna", "anna.meyer", "anna-meyer@mail.example.org", "EXAMPLE\\anna", "anan.meyer@example.org", "ameyer"];
        assert_eq!(of(&[], &forms), 1);
        assert_eq!(of(&["anna.meyer@example.org"], &forms), 0);
        assert_eq!(of(&["bert@example.org"], &forms), 1);
        // The last one joins what were two.
        assert_eq!(of(&[], &["meyer", "anna", "anna.meyer"]), 1);
    }

    #[test]
    fn one_slip_is_a_distance_of_one() {
        let names = [
            "", "a", "b", "ab", "ba", "aab", "aba", "abb", "anna", "anan", "ana", "annna", "hanna", "annab", "nana",
            "abcd", "abdc",
        ];
        for short in names {
            for long in names.iter().filter(|long| long.len() >= short.len()) {
                let distance = strsim::generic_damerau_levenshtein(short.as_bytes(), long.as_bytes());
                assert_eq!(is_one_slip(short.as_bytes(), long.as_bytes()), distance <= 1, "{short} {long}");
            }
        }
    }

    #[test]
    fn a_list_is_many_people() {
        assert_eq!(of(&[], &["admin", "info", "test", "root", "web@a.example", "web@b.example"]), 5);
        assert_eq!(of(&[], &["user1", "user2", "user3", "user4", "user5"]), 5);
        assert_eq!(of(&["info@example.org"], &["ab", "abc", "info", "x", "xy"]), 4);
        let many: Vec<String> = (0..20).map(|n| format!("info@d{n}.example")).collect();
        assert_eq!(of(&[], &many.iter().map(String::as_str).collect::<Vec<_>>()), 20);
    }
}
