//! The names that one source tried, sorted by who they may be: names go in, accounts in use, their other forms and strangers come out.

use std::cell::OnceCell;
use std::collections::HashSet;

use trace::Map;

use super::Detector;
use super::rows::{ClientRow, Name, Spelled};
use super::variants::{self, local};

/// So many other forms of one account are its owner's: the bare name, the old domain, the domain's Windows name. More are a list.
const FORMS_OF_ONE: usize = 3;

/// A person tries so many domains, typing errors included; a list goes through those of a server.
const DOMAINS: usize = 4;

/// The names of accounts in use without their domains: made when somebody first asks, as few logs need it.
#[derive(Default)]
pub(crate) struct Known(OnceCell<HashSet<Vec<u8>>>);

impl Known {
    /// Whether an account is in use by another form of a name: bare, or with another domain.
    fn has(&self, detector: &Detector, local: &[u8]) -> bool {
        let in_use = || detector.accounts.values().filter(|row| row.is_in_use());
        !local.is_empty()
            && self.0.get_or_init(|| in_use().map(|row| variants::local(&row.name)).collect()).contains(local)
    }
}

/// Who the names of a source may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tried {
    /// Names in all.
    pub(crate) names: u32,
    /// Of accounts in use.
    pub(crate) in_use: u32,
    /// Not in use as they are, but their accounts are, by another form.
    pub(crate) forms: u32,
    /// People these are, beside those whose accounts' names are among the names as well.
    pub(crate) forms_people: u32,
    /// Names that nobody ever logs in by.
    pub(crate) strange: u32,
    /// How many people these are, if some are forms of one name.
    pub(crate) strangers: u32,
}

impl Tried {
    pub(crate) fn of(detector: &Detector, known: &Known, row: &ClientRow) -> Self {
        Self::of_names(detector, known, &row.names, row.names_beyond)
    }

    /// `beyond`: so many names more, which are not remembered.
    pub(crate) fn of_names(detector: &Detector, known: &Known, names: &[Name], beyond: u32) -> Self {
        let spelled: Vec<(Spelled, bool)> = names
            .iter()
            .filter_map(|name| detector.accounts.get(name))
            .map(|row| (row.name.clone(), row.is_in_use()))
            .collect();
        let mut people: Vec<Spelled> = Vec::new();
        let mut forms: Map<Vec<u8>, Vec<Spelled>> = Map::default();
        let mut strange: Vec<Spelled> = Vec::new();
        for (name, is_in_use) in spelled {
            let form = || Some(local(&name)).filter(|local| known.has(detector, local));
            if is_in_use {
                people.push(name);
            } else if let Some(form) = form() {
                forms.entry(form).or_default().push(name);
            } else {
                strange.push(name);
            }
        }
        let in_use = count(people.len());
        let own: HashSet<Vec<u8>> = people.iter().map(|name| local(name)).collect();
        let (mut of_known, mut forms_people) = (0, 0);
        for (form, names) in forms {
            if names.len() > FORMS_OF_ONE {
                strange.extend(names);
                continue;
            }
            of_known += count(names.len());
            forms_people += u32::from(!own.contains(&form));
            people.extend(names);
        }
        // Of a name that is forgotten nothing speaks for it.
        let all = count(names.len()).saturating_add(beyond);
        let unknown = all - in_use - of_known;
        let few = (2..=variants::FORMS).contains(&(unknown as usize))
            && strange.len() == unknown as usize
            && domains(&strange) <= DOMAINS;
        let strangers = if few { count(variants::strangers(&people, &strange)) } else { unknown };
        Self { names: all, in_use, forms: of_known, forms_people, strange: unknown, strangers }
    }

    /// How many people the names are.
    pub(crate) fn people(&self) -> u32 {
        self.strangers + self.in_use + self.forms_people
    }
}

fn domains(names: &[Spelled]) -> usize {
    let domains = names.iter().map(|name| variants::domain(name)).filter(|domain| !domain.is_empty());
    domains.collect::<HashSet<_>>().len()
}

fn count(many: usize) -> u32 {
    u32::try_from(many).unwrap_or(u32::MAX)
}
