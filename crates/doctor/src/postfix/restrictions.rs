//! Who may send where: the restriction lists, walked as smtpd does for a user who logged in and for a stranger.
//!
//! Source: `SMTPD_ACCESS_README`, Postfix `src/smtpd/smtpd_check.c`.

use super::{Instance, Service};
use crate::check::Check;
use crate::examine::Look;
use crate::kinds::{NETWORKS, RELAY, SENDER_LOGIN};
use crate::mechanisms::words;

/// The lists in the order in which they are asked before a recipient is taken.
const LISTS: [&str; 5] = [
    "smtpd_client_restrictions",
    "smtpd_helo_restrictions",
    "smtpd_sender_restrictions",
    "smtpd_relay_restrictions",
    "smtpd_recipient_restrictions",
];

pub(super) fn check(look: &Look<'_>, instance: &Instance) -> Vec<Check> {
    let mut checks: Vec<Check> = Vec::new();
    for service in instance.login_services() {
        checks.push(relay(look, instance, service));
        checks.extend(sender_login(look, instance, service));
    }
    for service in instance.smtpds().filter(|service| !instance.is_on(service, "smtpd_sasl_auth_enable")) {
        checks.extend(open_relay(instance, service).map(|check| commanded(look, instance, service, check)));
    }
    checks.push(networks(look, instance));
    checks
}

fn commanded(look: &Look<'_>, instance: &Instance, service: &Service, check: Check) -> Check {
    let command = format!(
        "smtpd_relay_restrictions smtpd_recipient_restrictions; postconf -P '{}/*_restrictions'",
        service.key()
    );
    check.about(service.label()).command(instance.postconf(look.host, &command))
}

/// Who sends, to somewhere else.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sender {
    LoggedIn,
    Stranger,
}

/// What a list does with a recipient elsewhere.
#[derive(Debug, PartialEq, Eq)]
enum End<'a> {
    /// It lets the recipient through to the next list.
    Passes,
    /// This element refuses.
    Refuses(&'a str),
    /// A table or policy server before the end may refuse; that we cannot know.
    MayRefuse,
}

fn walk(list: &str, sender: Sender) -> End<'_> {
    let mut asked_table = false;
    for element in words(list) {
        match element.to_ascii_lowercase().as_str() {
            "permit" => return if asked_table { End::MayRefuse } else { End::Passes },
            "permit_sasl_authenticated" if sender == Sender::LoggedIn => return End::Passes,
            "reject" | "defer" | "reject_unauth_destination" | "defer_unauth_destination" => {
                return End::Refuses(element);
            }
            "reject_plaintext_session" => {}
            word if word.starts_with("check_") => asked_table = true,
            _ => {}
        }
    }
    if asked_table { End::MayRefuse } else { End::Passes }
}

fn relay(look: &Look<'_>, instance: &Instance, service: &Service) -> Check {
    let refusal = LISTS.iter().find_map(|list| match walk(instance.value(service, list), Sender::LoggedIn) {
        End::Refuses(element) => Some((*list, element)),
        _ => None,
    });
    let check = match refusal {
        Some((list, element)) => Check::fault(
            &RELAY,
            format!("{list} refuses users who logged in: {element} comes before permit_sasl_authenticated"),
        )
        .seen(format!("{list} = {}", instance.value(service, list)))
        .fix(format!("put permit_sasl_authenticated before {element} in {list}, postfix reload")),
        None => match open_relay(instance, service) {
            Some(open) => open,
            None => Check::ok(&RELAY, "users who logged in may send to anywhere, others may not")
                .seen(format!("smtpd_relay_restrictions = {}", instance.value(service, LISTS[3])))
                .seen(format!("smtpd_recipient_restrictions = {}", instance.value(service, LISTS[4]))),
        },
    };
    commanded(look, instance, service, check)
}

/// A stranger from outside whom no list stops.
fn open_relay(instance: &Instance, service: &Service) -> Option<Check> {
    if instance.is_local(service) {
        return None;
    }
    let stopped = LISTS.iter().any(|list| walk(instance.value(service, list), Sender::Stranger) != End::Passes);
    (!stopped).then(|| {
        Check::fault(&RELAY, "an open relay: anybody may send to anywhere without a login")
            .seen(format!("smtpd_relay_restrictions = {}", instance.value(service, LISTS[3])))
            .seen(format!("smtpd_recipient_restrictions = {}", instance.value(service, LISTS[4])))
            .fix("smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination; postfix reload")
    })
}

fn sender_login(look: &Look<'_>, instance: &Instance, service: &Service) -> Option<Check> {
    let strict = ["reject_sender_login_mismatch", "reject_authenticated_sender_login_mismatch"];
    let asked = LISTS.iter().find_map(|list| {
        words(instance.value(service, list)).find(|word| strict.contains(word)).map(|element| (*list, element))
    });
    let (list, element) = asked?;
    let maps = instance.value(service, "smtpd_sender_login_maps");
    let check = if maps.is_empty() {
        Check::fault(
            &SENDER_LOGIN,
            format!("{element} without smtpd_sender_login_maps: every sender address is refused"),
        )
        .fix("set smtpd_sender_login_maps, or take the restriction out; postfix reload")
    } else {
        Check::ok(&SENDER_LOGIN, "users may send from their own addresses only")
            .look(format!("postmap -q SENDER {maps}   (who may use an address)"))
    };
    Some(
        check
            .about(service.label())
            .seen(format!("{element} in {list}; smtpd_sender_login_maps = {maps}"))
            .command(instance.postconf(look.host, "smtpd_sender_login_maps")),
    )
}

fn networks(look: &Look<'_>, instance: &Instance) -> Check {
    let networks = instance.main("mynetworks");
    let check = match words(networks).find(|network| is_huge(network)) {
        Some(network) => {
            Check::fault(&NETWORKS, format!("mynetworks holds {network}: strangers may relay without a login"))
                .fix("name your own networks only: postconf -e 'mynetworks=127.0.0.0/8 [::1]/128'; postfix reload")
        }
        None => Check::ok(&NETWORKS, format!("without a login may relay: {networks}")),
    };
    check.seen(format!("mynetworks = {networks}")).command(instance.postconf(look.host, "mynetworks"))
}

/// More than any owner of a mail server has; 127.0.0.0/8 and 10.0.0.0/8 are not.
fn is_huge(network: &str) -> bool {
    if network.starts_with('!') {
        return false;
    }
    let Some((address, length)) = network.rsplit_once('/') else { return false };
    match length.parse::<u8>() {
        Ok(length) if address.contains(':') => length < 16 && !address.starts_with("[f"),
        Ok(length) => length < 8,
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Status::{self, Fault, Ok as Fine};
    use crate::postfix::instance::tests::instance;

    #[test]
    fn lists() {
        let check = |list: &str, sender, expected| assert_eq!(walk(list, sender), expected, "{list}");
        let stock = "permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination";
        check(stock, Sender::LoggedIn, End::Passes);
        check(stock, Sender::Stranger, End::Refuses("defer_unauth_destination"));
        check("permit_sasl_authenticated,reject", Sender::LoggedIn, End::Passes);
        check(
            "reject_unauth_destination, permit_sasl_authenticated",
            Sender::LoggedIn,
            End::Refuses("reject_unauth_destination"),
        );
        check("", Sender::Stranger, End::Passes);
        check("check_client_access hash:/x, permit", Sender::Stranger, End::MayRefuse);
        check("reject_unknown_sender_domain", Sender::Stranger, End::Passes);
        check("permit_sasl_authenticated, permit", Sender::Stranger, End::Passes);
    }

    fn of(main: &str, id: &str) -> Option<Status> {
        let (host, request) = (crate::Host::default(), crate::Request::default());
        let look = Look { host: &host, request: &request };
        let postfix =
            instance(&format!("smtpd_sasl_auth_enable = yes\n{main}"), "submission inet n - n - - smtpd\n", "");
        check(&look, &postfix).iter().find(|check| check.kind.id == id).map(|check| check.status)
    }

    #[test]
    fn restrictions() {
        let check = |main: &str, id: &str, expected| assert_eq!(of(main, id), expected, "{main}");
        let stock = "smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination";
        check(stock, "postfix.relay", Some(Fine));
        check("smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination", "postfix.relay", Some(Fault));
        check("smtpd_relay_restrictions = permit", "postfix.relay", Some(Fault));
        check(
            "smtpd_relay_restrictions =\nsmtpd_recipient_restrictions = permit_sasl_authenticated, reject",
            "postfix.relay",
            Some(Fine),
        );
        check(&format!("{stock}\nsmtpd_client_restrictions = reject"), "postfix.relay", Some(Fault));
        let owners = format!("{stock}\nsmtpd_sender_restrictions = reject_sender_login_mismatch");
        check(stock, "postfix.sender_login", None);
        check(&owners, "postfix.sender_login", Some(Fault));
        check(&format!("{owners}\nsmtpd_sender_login_maps = hash:/x"), "postfix.sender_login", Some(Fine));
        check("mynetworks = 127.0.0.0/8 [::1]/128 10.0.0.0/8 192.0.2.0/24", "postfix.mynetworks", Some(Fine));
        check("mynetworks = 127.0.0.0/8 0.0.0.0/0", "postfix.mynetworks", Some(Fault));
        check("mynetworks = [::]/0", "postfix.mynetworks", Some(Fault));
        check("mynetworks = hash:/etc/x, [fe80::]/10", "postfix.mynetworks", Some(Fine));
    }
}
