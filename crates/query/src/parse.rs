//! Query text to [`Expr`].
//!
//! A descent over the characters: `OR` binds loosest, then the `AND` that need not be written, then `NOT` and `-`. What a
//! value means is [`crate::value`]'s work. Time is linear; depth, length and number of terms are bounded.

use crate::error::{Problem, QueryError};
use crate::expr::Expr;
use crate::fields::TEXT;
use crate::present::Present;
use crate::value::{self, Mark, Target, Written};

/// Characters of a query at most.
pub const CHARACTERS_MAX: usize = 4_096;
/// How deep parentheses and NOTs go at most.
pub const DEPTH_MAX: usize = 32;
/// Words and fields at most.
pub const TERMS_MAX: usize = 256;

/// Reads a query. The empty one means every entry.
pub(crate) fn parse(text: &str, present: &Present) -> Result<Expr, QueryError> {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() > CHARACTERS_MAX {
        return Err(QueryError { at: CHARACTERS_MAX..chars.len(), problem: Problem::TooLong });
    }
    let mut parser = Parser { chars: &chars, at: 0, depth: 0, terms: 0, present };
    parser.blanks();
    if parser.peek().is_none() {
        return Ok(Expr::All);
    }
    let expr = parser.alternatives(None)?;
    match parser.peek() {
        None => Ok(expr),
        // Whatever else there is would have been read.
        Some(_) => Err(parser.error(1, Problem::ClosedParenthesis)),
    }
}

struct Parser<'a> {
    chars: &'a [char],
    at: usize,
    depth: usize,
    terms: usize,
    present: &'a Present,
}

const KEYWORDS: [&str; 3] = ["OR", "AND", "NOT"];

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    /// A problem with so many characters from here on.
    fn error(&self, length: usize, problem: Problem) -> QueryError {
        QueryError { at: self.at..(self.at + length).min(self.chars.len()), problem }
    }

    /// The keyword that stands here.
    fn keyword(&self) -> Option<&'static str> {
        KEYWORDS.into_iter().find(|word| {
            let mut ahead = self.chars.iter().skip(self.at);
            word.chars().all(|c| ahead.next() == Some(&c)) && ahead.next().is_none_or(|c| ends_word(*c))
        })
    }

    fn take_keyword(&mut self, word: &'static str) -> bool {
        let here = self.keyword() == Some(word);
        if here {
            self.at += word.len();
            self.blanks();
        }
        here
    }

    /// Whether nothing follows that could be part of what is being read.
    fn ends(&self) -> bool {
        self.peek().is_none_or(|c| c == ')')
    }

    /// Parts with `OR` between them.
    fn alternatives(&mut self, target: Option<Target>) -> Result<Expr, QueryError> {
        let mut parts = vec![self.conjunction(target)?];
        while self.take_keyword("OR") {
            parts.push(self.conjunction(target)?);
        }
        Ok(Expr::or(parts))
    }

    /// Parts with `AND` or nothing between them.
    fn conjunction(&mut self, target: Option<Target>) -> Result<Expr, QueryError> {
        let mut parts = Vec::new();
        loop {
            let keyword = self.keyword();
            if self.ends() || keyword == Some("OR") {
                break;
            }
            if keyword == Some("AND") {
                if parts.is_empty() {
                    return Err(self.error(3, Problem::NothingBefore("AND")));
                }
                let length = "AND".len();
                let after = self.at;
                self.take_keyword("AND");
                if self.ends() || matches!(self.keyword(), Some("OR" | "AND")) {
                    return Err(QueryError { at: after..after + length, problem: Problem::NothingBehind("AND") });
                }
            }
            parts.push(self.negation(target)?);
            self.blanks();
        }
        if parts.is_empty() { Err(self.nothing_here()) } else { Ok(Expr::and(parts)) }
    }

    /// Why there is nothing where something was wanted.
    fn nothing_here(&self) -> QueryError {
        let before = self.chars.get(..self.at).unwrap_or_default();
        let word_end = before.iter().rposition(|c| !c.is_whitespace()).map_or(0, |at| at + 1);
        if self.keyword() == Some("OR") {
            return self.error(2, Problem::NothingBefore("OR"));
        }
        match before.get(..word_end) {
            Some([.., 'O', 'R']) => QueryError { at: word_end - 2..word_end, problem: Problem::NothingBehind("OR") },
            Some([.., '(']) if self.peek().is_some() => {
                QueryError { at: word_end - 1..self.at + 1, problem: Problem::EmptyParentheses }
            }
            Some([.., '(']) => QueryError { at: word_end - 1..word_end, problem: Problem::OpenParenthesis },
            _ => self.error(1, Problem::ClosedParenthesis),
        }
    }

    fn negation(&mut self, target: Option<Target>) -> Result<Expr, QueryError> {
        let from = self.at;
        let dash = self.peek() == Some('-')
            && self.chars.get(self.at + 1).is_some_and(|next| !next.is_whitespace() && *next != ')');
        if dash {
            self.at += 1;
        } else if !self.take_keyword("NOT") {
            return self.atom(target);
        }
        if self.ends() || self.keyword().is_some_and(|word| word != "NOT") {
            let problem = Problem::NothingBehind(if dash { "-" } else { "NOT" });
            return Err(QueryError { at: from..from + if dash { 1 } else { 3 }, problem });
        }
        let part = self.deeper(from, |parser| parser.negation(target))?;
        Ok(Expr::Not(Box::new(part)))
    }

    fn deeper(
        &mut self,
        from: usize,
        read: impl FnOnce(&mut Self) -> Result<Expr, QueryError>,
    ) -> Result<Expr, QueryError> {
        if self.depth == DEPTH_MAX {
            return Err(QueryError { at: from..from + 1, problem: Problem::TooDeep });
        }
        self.depth += 1;
        let part = read(self);
        self.depth -= 1;
        part
    }

    fn atom(&mut self, target: Option<Target>) -> Result<Expr, QueryError> {
        if self.peek() == Some('(') {
            return self.group(target);
        }
        let from = self.at;
        match target {
            Some(target) => self.term(target),
            None => match self.field_name()? {
                Some(target) => self.field_value(target, from),
                None => self.term(Target::Field(TEXT)),
            },
        }
    }

    fn group(&mut self, target: Option<Target>) -> Result<Expr, QueryError> {
        let open = self.at;
        self.at += 1;
        self.blanks();
        let inner = self.deeper(open, |parser| parser.alternatives(target))?;
        if self.peek() != Some(')') {
            return Err(QueryError { at: open..open + 1, problem: Problem::OpenParenthesis });
        }
        self.at += 1;
        Ok(inner)
    }

    /// The field whose name and colon stand here, if any do: an address with colons is no field.
    fn field_name(&mut self) -> Result<Option<Target>, QueryError> {
        let word: String = self.chars.iter().skip(self.at).take_while(|c| !ends_word(**c)).collect();
        let Some((name, _)) = word.split_once(':') else { return Ok(None) };
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !is_name || word.parse::<std::net::IpAddr>().is_ok() {
            return Ok(None);
        }
        match Target::named(&name.to_ascii_lowercase()) {
            Some(target) => {
                self.at += name.len() + 1;
                Ok(Some(target))
            }
            None => {
                let nearest = Target::nearest(&name.to_ascii_lowercase());
                Err(self.error(name.len(), Problem::UnknownField { name: name.to_owned(), nearest }))
            }
        }
    }

    fn field_value(&mut self, target: Target, from: usize) -> Result<Expr, QueryError> {
        match self.peek() {
            Some('(') => self.group(Some(target)),
            Some(c) if !ends_word(c) => self.term(target),
            _ => {
                let (name, wanted) = target.wanted();
                Err(QueryError { at: from..self.at, problem: Problem::NoValue(name, wanted) })
            }
        }
    }

    fn term(&mut self, target: Target) -> Result<Expr, QueryError> {
        let from = self.at;
        if self.terms == TERMS_MAX {
            return Err(self.error(1, Problem::TooManyTerms));
        }
        self.terms += 1;
        let written = self.written()?;
        value::term(target, &written, self.present)
            .map(Expr::Term)
            .map_err(|problem| QueryError { at: from..self.at, problem })
    }

    /// A word or what stands in quotes.
    fn written(&mut self) -> Result<Written, QueryError> {
        let quoted = self.peek() == Some('"');
        let marks = if quoted { self.quoted()? } else { self.bare() };
        Ok(Written { marks, quoted })
    }

    fn bare(&mut self) -> Vec<Mark> {
        let mut marks = Vec::new();
        while let Some(c) = self.peek().filter(|c| !ends_word(*c)) {
            marks.push(if c == '*' { Mark::Star } else { Mark::Char(c) });
            self.at += 1;
        }
        marks
    }

    /// In quotes a backslash takes the meaning from `"`, `*` and itself; before anything else it is a character like others.
    fn quoted(&mut self) -> Result<Vec<Mark>, QueryError> {
        let open = self.at;
        self.at += 1;
        let mut marks = Vec::new();
        loop {
            let next = self.chars.get(self.at + 1).copied();
            match (self.peek(), next) {
                (None, _) => return Err(QueryError { at: open..open + 1, problem: Problem::OpenQuote }),
                (Some('"'), next) => {
                    self.at += 1;
                    return match next {
                        Some(c) if !c.is_whitespace() && c != ')' => Err(self.error(1, Problem::BehindQuote)),
                        _ => Ok(marks),
                    };
                }
                (Some('\\'), Some(c @ ('"' | '\\' | '*'))) => {
                    marks.push(Mark::Char(c));
                    self.at += 1;
                }
                (Some('*'), _) => marks.push(Mark::Star),
                (Some(c), _) => marks.push(Mark::Char(c)),
            }
            self.at += 1;
        }
    }
}

/// Blanks and parentheses end a word; inside of it everything else stands for itself.
pub(crate) fn ends_word(c: char) -> bool {
    c.is_whitespace() || c == '(' || c == ')'
}

/// Whether a word is an operator.
pub(crate) fn is_keyword(word: &str) -> bool {
    KEYWORDS.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Expr, QueryError> {
        let present = Present { zone: jiff::tz::TimeZone::UTC, now: "2026-06-17T12:00:00Z".parse().unwrap() };
        parse(text, &present)
    }

    /// What is printed shows how it was read; and it is read as the same again.
    fn check(text: &str, printed: &str) {
        let expr = read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(expr.to_string(), printed, "{text}");
        assert_eq!(read(printed).unwrap(), expr, "{printed}");
    }

    #[test]
    fn words_and_phrases() {
        check("", "");
        check("  \t ", "");
        check("failed", "\"failed\"");
        check("exampl* *@example.org", "\"exampl*\" \"*@example.org\"");
        check("\"authentication failed\"", "\"authentication failed\"");
        check("\"a \\\"b\\\" \\\\ \\* \\n *\"", "\"a \\\"b\\\" \\\\ \\* \\\\n *\"");
        check("a*b .*", "\"a\\*b\" \".*\"");
        check("2001:db8::1 dead:beef::1 12:30", "\"2001:db8::1\" \"dead:beef::1\" \"12:30\"");
        check("a\"b - -a a-b", "\"a\\\"b\" \"-\" -\"a\" \"a-b\"");
        check("\"\" or and not", "\"\" \"or\" \"and\" \"not\"");
        check("text:grün \"OR\"", "\"grün\" \"OR\"");
    }

    #[test]
    fn operators() {
        check("a b OR c d", "(\"a\" \"b\") OR (\"c\" \"d\")");
        check("a AND b AND NOT c", "\"a\" \"b\" -\"c\"");
        check("(a OR b) c", "(\"a\" OR \"b\") \"c\"");
        check("((a (b c)))", "\"a\" \"b\" \"c\"");
        check("a OR (b OR c)", "\"a\" OR \"b\" OR \"c\"");
        check("-(a OR b)", "-(\"a\" OR \"b\")");
        check("NOT NOT a --b", "--\"a\" --\"b\"");
        check("NOT(a)OR(b)", "-\"a\" OR \"b\"");
        check("a(b)c", "\"a\" \"b\" \"c\"");
        check("ORa ANDb NOTc", "\"ORa\" \"ANDb\" \"NOTc\"");
    }

    #[test]
    fn fields() {
        check("client:203.0.113.9 user:Bob@*", "client_ip:203.0.113.9 username:Bob@*");
        check("client:203.0.113.77/24", "client_ip:203.0.113.0/24");
        check(
            "client:203.0.113.* client:203.0.*.* client:10.*",
            "client_ip:203.0.113.0/24 client_ip:203.0.0.0/16 client_ip:10.0.0.0/8",
        );
        check(
            "client:2001:DB8::/32 client:::1 relay_ip:::ffff:192.0.2.1",
            "client_ip:2001:db8::/32 client_ip:::1 relay_ip:192.0.2.1",
        );
        check("class:(auth_failed OR backend_fault)", "class:auth_failed OR class:backend_fault");
        check("-user:(a b NOT (c OR *d)) x", "-(username:a username:b -(username:c OR username:*d)) \"x\"");
        check("client:(2001:db8::1 OR ::2)", "client_ip:2001:db8::1 OR client_ip:::2");
        check(
            "user:? user:* user:\"?\" user:** user:\"\"",
            "username:? username:* username:\"?\" username:* username:\"\"",
        );
        check(
            "user:DOMAIN\\bob user:\"a b\" user:a:b user:\"*\\*\" user:OR",
            "username:DOMAIN\\bob username:\"a b\" username:a:b username:\"*\\*\" username:\"OR\"",
        );
        check("reason:\"no such user\" reason:*mismatch", "reason:\"no such user\" reason:\"*mismatch\"");
        check("USER:x MECH:(PLAIN)", "username:x mechanism:PLAIN");
        check(
            "class:SENT class:auth_* class:? class:* cause:cred.* level:Warning event:x service:a,b",
            "class:SENT class:auth_* class:? class:* cause:cred.* level:Warning event:x service:a,b",
        );
        check("truncated:yes truncated:No", "truncated:yes truncated:no");
    }

    #[test]
    fn ranges() {
        check(
            "code:535 code:5xx code:53x size:>10 size:<=10",
            "code:535 code:500..599 code:530..539 size:11.. size:..10",
        );
        check("size:5..10 size:5.. size:..5 pid:-5", "size:5..10 size:5.. size:..5 pid:-5");
        check(
            "delay:>10 delay:<=0.5 delay:5..10 delay:5.. delay:1.50",
            "delay:>10 delay:<=0.5 delay:5..10 delay:>=5 delay:1.5",
        );
        check("delays:>1", "delays:>1");
    }

    #[test]
    fn times() {
        check("since:2h", "since:2026-06-17T10:00:00.000000Z");
        check("until:\"2026-06-17 10:25\"", "until:2026-06-17T10:25:00.000000Z");
        check("on:yesterday", "ts:2026-06-16T00:00:00.000000Z..2026-06-16T23:59:59.999999Z");
        check("ts:2026-06-16", "ts:2026-06-16T00:00:00.000000Z..2026-06-16T23:59:59.999999Z");
        check("ts:>=2026-06-16 ts:<2026-06-17", "since:2026-06-16T00:00:00.000000Z until:2026-06-16T23:59:59.999999Z");
        check("ts:2026-06-16..2h", "ts:2026-06-16T00:00:00.000000Z..2026-06-17T10:00:00.000000Z");
        check("ts:>9999-12-30T22:00:00.999999Z", "since:9999-12-30T22:00:00.000000Z");
        check(
            "on:(monday OR tue)",
            "ts:2026-06-15T00:00:00.000000Z..2026-06-15T23:59:59.999999Z OR ts:2026-06-16T00:00:00.000000Z..2026-06-16T23:59:59.999999Z",
        );
    }

    #[test]
    fn errors_point_at_the_place() {
        let check = |text: &str, at: std::ops::Range<usize>, told: &str| {
            let error = read(text).map(|expr| panic!("{text} is read as {expr}")).unwrap_err();
            assert_eq!(error.at, at, "{text}: {error}");
            assert!(error.to_string().contains(told), "{text}: {error}");
        };
        check("a clinet:x", 2..8, "character 3: no field is called `clinet`, did you mean `client`?");
        check("usr:x", 0..3, "did you mean `user`?");
        check("warning:", 0..7, "put them in quotes");
        check("http://x", 0..4, "no field is called `http`;");
        check("a client:", 2..9, "`client_ip:` wants a value");
        check("user: bob", 0..5, "`username:` wants a value");
        check("on:)", 0..3, "`on:` wants a value: a day");
        check("a \"b c", 2..3, "never closed");
        check("\"a\"b", 3..4, "after closing quotes");
        check("(a", 0..1, "never closed");
        check("a (b OR c", 2..3, "never closed");
        check("a)", 1..2, "no parenthesis is open");
        check(")", 0..1, "no parenthesis is open");
        check("()", 0..2, "nothing in the parentheses");
        check("user:( )", 5..8, "nothing in the parentheses");
        check("(", 0..1, "never closed");
        check("a OR", 2..4, "`OR` wants something behind it");
        check("(a OR )", 3..5, "`OR` wants something behind it");
        check("OR a", 0..2, "`OR` wants something before it");
        check("a OR OR b", 5..7, "`OR` wants something before it");
        check("AND a", 0..3, "`AND` wants something before it");
        check("a AND OR b", 2..5, "`AND` wants something behind it");
        check("a AND", 2..5, "`AND` wants something behind it");
        check("a NOT", 2..5, "`NOT` wants something behind it");
        check("NOT OR", 0..3, "`NOT` wants something behind it");
        check("client:mail.example.org", 7..23, "`mail.example.org` is neither an address nor a network");
        check("client:203.0.113.0/33", 7..21, "neither");
        check("client:1.2.3.4.*", 7..16, "neither");
        check("pid:many", 4..8, "no whole number");
        check("code:5*", 5..7, "no whole number");
        check("code:xx", 5..7, "no whole number");
        check("size:1e3", 5..8, "no whole number");
        check("size:9223372036854775808", 5..24, "no whole number");
        check("size:10..5", 5..10, "ends before it begins");
        check("delay:inf", 6..9, "no number");
        check("delay:2..1", 6..10, "ends before it begins");
        check("truncated:maybe", 10..15, "neither yes nor no");
        check("since:noon", 6..10, "no time I can read");
        check("on:2h", 3..5, "no day I can read");
        check("grün usre:x", 5..9, "did you mean `user`?");
        check("a class:auth_fail", 8..17, "character 9: there is no class `auth_fail`, did you mean `auth_failed`?");
        check("class:failed", 6..12, "did you mean `auth_failed` or `tls_failed` or `relayhost_auth_failed`?");
        check(
            "class:auth_failed,sent",
            6..22,
            "no class `auth_failed,sent`; for any of several write `class:(auth_failed OR sent)`",
        );
        check("class:auth_fialed|sent*", 6..23, "write `class:(auth_failed OR sent*)`");
        check("class:nonsense", 6..14, "no class `nonsense`; there are auth_failed, backend_fault, ");
        check("class:nonsense,sent", 6..19, "there are auth_failed, ");
        check("class:nonsense*", 6..15, "there are auth_failed, ");
        check("class:\"\"", 6..8, "there are auth_failed, ");
        check("class:(sent OR x)", 15..16, "no class `x`");
        check("-(cause:cred.unknwon_user OR user:x)", 8..25, "did you mean `cred.unknown_user`?");
        check("cause:nonsense", 6..14, "`postfix-insights causes` lists them");
        check("level:warn", 6..10, "did you mean `warning`?");
    }

    #[test]
    fn queries_are_bounded() {
        let problem = |text: &str| read(text).unwrap_err().problem;
        assert_eq!(problem(&"a".repeat(CHARACTERS_MAX + 1)), Problem::TooLong);
        assert_eq!(problem(&format!("{}a{}", "(".repeat(33), ")".repeat(33))), Problem::TooDeep);
        assert_eq!(problem(&format!("{}a", "-".repeat(33))), Problem::TooDeep);
        assert_eq!(problem(&"a ".repeat(TERMS_MAX + 1)), Problem::TooManyTerms);
        assert!(read(&"a ".repeat(TERMS_MAX)).is_ok());
        assert!(read(&format!("{}a{}", "(".repeat(32), ")".repeat(32))).is_ok());
    }

    #[test]
    fn the_place_is_shown() {
        let text = "a\tclinet:x";
        assert_eq!(read(text).unwrap_err().pointed(text), "a·clinet:x\n  ^^^^^^");
        assert_eq!(read("a OR").unwrap_err().pointed("a OR"), "a OR\n  ^^");
    }
}
