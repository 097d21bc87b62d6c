//! `user`: who may use the web pages and the API.

use answers::screen::escape;
use answers::state;
use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use server::{Token, User, Users};

use crate::cli::{self, UserCommand};
use crate::exit::Exit;
use crate::{password, print};

/// Runs the command.
pub(crate) fn run(args: &cli::User) -> anyhow::Result<Exit> {
    let folder = args.state.clone().or_else(state::usual);
    let folder = folder.context("--state: no usual folder for it, because HOME is not set; name one")?;
    let users = Users::open(&folder)?;
    match &args.what {
        UserCommand::Add { name, role, domain, password_fd, no_password } => {
            let password = if *no_password { None } else { Some(password::read("user add", *password_fd)?) };
            users.add(name, *role, domain, password.as_deref())?;
        }
        UserCommand::Password { name, password_fd } => {
            users.set_password(name, &password::read("user password", *password_fd)?)?;
        }
        UserCommand::List { json } => list(&users, *json)?,
        UserCommand::Remove { name } => users.remove(name)?,
        UserCommand::Token { name, label } => {
            if label.chars().count() > 200 {
                bail!("--label: at most 200 characters");
            }
            print::text(&format!("{}\n", users.add_token(name, label)?))?;
        }
        UserCommand::RemoveToken { id } => users.remove_token(*id)?,
    }
    Ok(Exit::Ok)
}

fn list(users: &Users, as_json: bool) -> anyhow::Result<()> {
    let (all, tokens) = (users.list()?, users.tokens()?);
    if as_json {
        let user = |user: &User| {
            json!({
                "name": user.name, "role": user.role.name(), "domains": user.domains, "password": user.has_password,
                "tokens": tokens.iter().filter(|token| token.user == user.name).map(token_json).collect::<Vec<_>>(),
            })
        };
        return Ok(print::json(&json!({"users": all.iter().map(user).collect::<Vec<_>>()}))?);
    }
    let mut text = String::new();
    for user in &all {
        let domains = if user.domains.is_empty() { "all domains".to_owned() } else { user.domains.join(", ") };
        let password = if user.has_password { "" } else { ", no password" };
        text += &format!("{}: {}, {domains}{password}\n", user.name, user.role);
        for token in tokens.iter().filter(|token| token.user == user.name) {
            text += &format!("  token {} of {}  {}\n", token.id, token.made, escape(&token.label));
        }
    }
    Ok(print::text(&text)?)
}

fn token_json(token: &Token) -> Value {
    json!({"id": token.id, "label": token.label, "made": token.made.to_string()})
}
