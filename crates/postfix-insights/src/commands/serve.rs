//! `serve`: the pages and the API, of named files or of the store.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use answers::follow::{self, Following};
use answers::reading::{self, Halt, Reading};
use answers::state;
use anyhow::Context as _;
use server::{App, Config};
use store::state::{State, StateError};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::Serve;
use crate::commands::bans;
use crate::exit::Exit;
use crate::print;

/// Runs the command.
pub(crate) fn run(args: &Serve) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let exit = runtime.block_on(serve(args));
    // A reading that is still going on does not hold up the end.
    runtime.shutdown_background();
    exit
}

async fn serve(args: &Serve) -> anyhow::Result<Exit> {
    let listener = TcpListener::bind(args.listen).await.with_context(|| format!("--listen {}", args.listen))?;
    let listen: SocketAddr = listener.local_addr()?;
    let throw_away = if args.files.is_empty() { None } else { Some(tempfile::tempdir()?) };
    let folder = match &throw_away {
        Some(folder) => folder.path().join("state"),
        None => args.state.clone().or_else(state::usual).context("--state: no usual folder for it; name one")?,
    };
    let state = State::new(&folder);
    if state.exists() {
        // Another program may hold the lock and bring it up to date just now.
        state.check()?;
    }
    let config = config(args, listen, &folder)?;
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let shown = format!("{scheme}://{listen}{}", config.base);
    let app = App::new(config);
    app.check()?;
    let mut terminated = signal(SignalKind::terminate())?;
    let (filling, following) = match throw_away {
        Some(_) => (Some(read(args, &folder, &app)?), None),
        None => (None, follow(args, &folder, &app)?),
    };
    print::text(&format!("Postfix Insights is at {shown}\n"))?;
    let stopper = following.as_ref().map(|following| following.stopper());
    let halt = filling.as_ref().map(|(halt, _)| halt.clone());
    let stop = async move {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminated.recv() => {}
        }
        // What was read is committed while open requests end.
        if let Some(stopper) = stopper {
            stopper.stop();
        }
        if let Some(halt) = halt {
            halt.set();
        }
    };
    let served = server::serve(app, listener, stop).await;
    if let Some(following) = following.and_then(Arc::into_inner) {
        tokio::task::spawn_blocking(move || following.stop()).await??;
    }
    if let Some((halt, thread)) = filling {
        halt.set();
        // It writes into the folder that goes now. How it ended it has said.
        let _ = tokio::task::spawn_blocking(move || thread.join()).await;
    }
    served?;
    Ok(Exit::Ok)
}

fn config(args: &Serve, listen: SocketAddr, folder: &Path) -> anyhow::Result<Config> {
    // Users of a throw-away view are those of the store that is named, if one is.
    let users = if args.files.is_empty() { Some(folder.to_owned()) } else { args.state.clone() };
    Ok(Config {
        state: State::new(folder),
        listen,
        base: base(&args.base_path)?,
        hosts: args.allow_host.clone(),
        zone: reading::zone(args.timezone.as_deref())?,
        users,
        proxies: args.trusted_proxy.clone(),
        name_header: args.auth_header.clone(),
        no_sign_in: args.no_sign_in,
        fail2ban_logs: fail2ban_logs(args),
        judged: args.judged.settings(),
        tls: args.tls_cert.clone().zip(args.tls_key.clone()),
    })
}

/// fail2ban's logs that were named; else, beside this host's own store, the usual one if it can be read.
fn fail2ban_logs(args: &Serve) -> Vec<PathBuf> {
    let usual = Path::new(bans::LOG);
    if args.fail2ban_log.is_empty() && args.files.is_empty() && std::fs::File::open(usual).is_ok() {
        return vec![usual.to_owned()];
    }
    args.fail2ban_log.clone()
}

/// Follows the logs into the store, unless another program does.
fn follow(args: &Serve, folder: &Path, app: &App) -> anyhow::Result<Option<Arc<Following>>> {
    let config = follow::Config {
        files: args.follow.clone(),
        journal: args.journal,
        timezone: args.timezone.clone(),
        retention: args.retention.kept(),
        judged: args.judged.settings(),
        ..follow::Config::default()
    };
    let config = config.or_usual();
    let state = State::new(folder);
    if args.no_follow || config.is_empty() {
        anyhow::ensure!(
            args.no_follow || state.exists(),
            "nothing to show: nothing is stored in {}, and no log is where logs usually are; name one with --follow, or as FILES",
            folder.display()
        );
        return Ok(None);
    }
    match Following::start(&state, config) {
        Ok(following) => {
            let following = Arc::new(following);
            app.follows(Arc::downgrade(&following));
            Ok(Some(following))
        }
        Err(error) if error.downcast_ref().is_some_and(|error| matches!(error, StateError::Busy { .. })) => {
            print::note(&format!("{}: another program fills the store; the answers come from there", folder.display()));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// `/x/` from `x`, `/x` or `/x/`.
fn base(text: &str) -> anyhow::Result<String> {
    let inner = text.trim_matches('/');
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./~".contains(c);
    anyhow::ensure!(
        inner.chars().all(is_plain),
        "--base-path {text}: write letters, digits and slashes, such as /insights/"
    );
    Ok(if inner.is_empty() { "/".to_owned() } else { format!("/{inner}/") })
}

/// Reads the files into a folder of their own, beside the answers. Output: what ends it early, and its thread.
fn read(args: &Serve, folder: &Path, app: &Arc<App>) -> anyhow::Result<(Halt, JoinHandle<()>)> {
    let input = reading::Input {
        files: args.files.clone(),
        timezone: args.timezone.clone(),
        year: args.year,
        ..reading::Input::default()
    };
    let state = State::new(folder);
    let lock = state.lock()?;
    let reading = Reading::of_files(&input)?.watched(Some(app.watch())).judged_by(args.judged.settings());
    let (halt, app) = (reading.halt(), Arc::clone(app));
    let thread = std::thread::Builder::new().name("reading".to_owned()).spawn(move || {
        let _lock = lock;
        let ingested = answers::ingest::ingest(&state, reading, &answers::retention::Retention::default(), |_, _| {});
        match ingested {
            Ok(Ok(ingested)) => {
                Exit::of_reading(&ingested.read, false);
                if let Some(error) = ingested.failure {
                    print::error(&format!("{error:#}"));
                }
            }
            Ok(Err(error)) => drop(Exit::nothing_readable(&error)),
            Err(error) => print::error(&format!("{error:#}")),
        }
        app.read_whole();
    })?;
    Ok((halt, thread))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_paths() {
        for (text, known) in [("", "/"), ("/", "/"), ("x", "/x/"), ("/x/y/", "/x/y/")] {
            assert_eq!(base(text).unwrap(), known);
        }
        assert!(base("/a b/").is_err() && base("/{x}/").is_err());
    }
}
