//! Fields whose values are all known: which of a query's words are none of them.

use diagnose::Class;

use crate::expr::{Expr, Test};
use crate::fields::Field;
use crate::value::most_like;

/// A word of a query that no entry can hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Stranger<'q> {
    /// The field.
    pub field: &'static Field,
    /// What it was asked to be.
    pub word: &'q str,
    /// The value most like it, if any is.
    pub nearest: Option<&'static str>,
}

/// Adds the words of `class` and `cause` that are no class and no cause.
pub(crate) fn strangers<'q>(expr: &'q Expr, out: &mut Vec<Stranger<'q>>) {
    match expr {
        Expr::All => {}
        Expr::And(parts) | Expr::Or(parts) => parts.iter().for_each(|part| strangers(part, out)),
        Expr::Not(part) => strangers(part, out),
        Expr::Term(term) => {
            let (Test::Word(glob), Some(known)) = (&term.test, values(term.field)) else { return };
            if let [word] = glob.pieces()
                && !known.iter().any(|value| glob.matches(value))
            {
                out.push(Stranger { field: term.field, word, nearest: most_like(word, known.into_iter()) });
            }
        }
    }
}

fn values(field: &Field) -> Option<Vec<&'static str>> {
    match field.name {
        "class" => Some(Class::ALL.iter().map(|class| class.name()).collect()),
        "cause" => Some(diagnose::all().map(|cause| cause.id).collect()),
        _ => None,
    }
}
