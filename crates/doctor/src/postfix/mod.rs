//! Postfix: what `postconf` says of each instance and each service, and what that does to logins.

mod certificates;
mod instance;
mod logging;
mod logins;
mod master;
mod restrictions;

pub(crate) use instance::{Instance, Service, Unreadable, instances};

use crate::check::Check;
use crate::examine::Look;

/// Everything that can be said of an instance by its configuration.
pub(crate) fn check(look: &Look<'_>, instance: &Instance) -> Vec<Check> {
    let parts = [
        master::check(look, instance),
        logins::check(look, instance),
        restrictions::check(look, instance),
        logging::check(look, instance),
        certificates::check(look, instance),
    ];
    parts.concat()
}

/// Why an instance says nothing.
pub(crate) fn unreadable(look: &Look<'_>, trouble: &Unreadable) -> Check {
    instance::unreadable(look, trouble)
}
