//! The pages in a real browser: Debian's chromium, driven by its chromedriver, before servers of our own on this machine.
//!
//! Each check is a function that starts what it needs, does what a person would do, and fails with a sentence. What they need is fetched by
//! [`packages`].

mod access;
mod chrome;
mod hostile;
mod live;
mod looks;
mod packages;
mod proxy;
mod reading;
mod roles;
mod serve;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// What to do.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Options {
    /// Run only this check (may be given several times).
    #[arg(long, value_name = "CHECK")]
    pub only: Vec<String>,
    /// Draw pictures of the pages into this folder, and check nothing.
    #[arg(long, value_name = "DIR")]
    pub pictures: Option<PathBuf>,
    /// The program under test (default: it is built).
    #[arg(long, value_name = "FILE")]
    pub program: Option<PathBuf>,
}

/// What checks need.
pub(crate) struct Place {
    /// The program under test.
    program: PathBuf,
    /// The recordings.
    corpus: PathBuf,
    /// axe-core's script.
    axe: PathBuf,
}

impl Place {
    /// The log of a recording.
    fn log(&self, scenario: &str) -> PathBuf {
        self.corpus.join(scenario).join("mail.log")
    }
}

type Check = fn(&Place) -> Result<()>;

const CHECKS: [(&str, Check); 14] = [
    ("a first visit ends at a cause", reading::first_visit),
    ("drawing over bars chooses a time", reading::brushing),
    ("facets add and leave out", reading::facets),
    ("an export holds what is counted", reading::export),
    ("all of it by keys", reading::keys),
    ("pages work without script", reading::no_script),
    ("pages are light", reading::weight),
    ("new lines come by themselves", live::tail),
    ("below a path behind nginx", proxy::behind_nginx),
    ("below a path behind Apache", proxy::behind_apache),
    ("below a path behind Caddy", proxy::behind_caddy),
    ("names of strangers are text", hostile::text),
    ("each role sees its part", roles::each),
    ("axe finds nothing", access::axe),
];

/// Whether the checks can be run here, and what is missing if not.
///
/// # Errors
/// If something is missing that cannot be fetched.
pub fn available() -> Result<()> {
    packages::check()
}

/// Draws the README's pictures of the pages into a folder.
///
/// # Errors
/// If what that needs cannot be had.
pub fn draw_for_docs(program: PathBuf, folder: &Path) -> Result<()> {
    packages::install()?;
    looks::for_docs(&place(program)?, folder)
}

fn place(program: PathBuf) -> Result<Place> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpus");
    let target = program.parent().and_then(Path::parent).map_or_else(|| PathBuf::from("target"), Path::to_owned);
    Ok(Place { axe: packages::axe(&target.join("browser"))?, program: std::path::absolute(program)?, corpus })
}

/// Runs the checks.
///
/// # Errors
/// If one of them fails, or what they need cannot be had.
pub fn run(options: &Options) -> Result<()> {
    packages::install()?;
    let Some(program) = options.program.clone() else { bail!("the program under test is not named") };
    let place = place(program)?;
    if let Some(folder) = &options.pictures {
        return looks::draw(&place, folder);
    }
    let mut failed = Vec::new();
    for (name, check) in
        CHECKS.into_iter().filter(|(name, _)| options.only.is_empty() || options.only.iter().any(|only| only == name))
    {
        match check(&place) {
            Ok(()) => println!("browser: {name}"),
            Err(error) => {
                println!("browser: {name}: FAILED: {error:#}");
                failed.push(name);
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { bail!("{}", failed.join("; ")) }
}
