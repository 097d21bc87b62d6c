//! Tests over the whole table of routes: who gets an answer, and what is in it. A new route is in them without being named here.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use futures_util::StreamExt as _;
use jiff::tz::TimeZone;
use store::state::State;
use tower::ServiceExt as _;

use crate::access::{Role, Users};
use crate::route::{self, Form, Need, Param, Route, Verb};
use crate::{App, Config};

/// A server of a recording, and a token of each kind of user.
struct Bench {
    router: Router,
    tokens: Vec<(&'static str, String)>,
    _folder: tempfile::TempDir,
}

const LOG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../corpus/account_taken_over/mail.log");
const ACCOUNT: &str = "frank@example.test";
const CLIENT: &str = "198.51.100.230";

fn config(state: State) -> Config {
    Config {
        users: Some(state.root().to_owned()),
        state,
        listen: "127.0.0.1:8025".parse().unwrap(),
        base: "/x/".to_owned(),
        hosts: Vec::new(),
        zone: TimeZone::UTC,
        proxies: Vec::new(),
        name_header: None,
        no_sign_in: false,
        fail2ban_logs: Vec::new(),
        judged: diagnose::detect::Settings::default(),
        tls: None,
    }
}

fn filled() -> (tempfile::TempDir, State) {
    let folder = tempfile::tempdir().unwrap();
    let state = State::new(&folder.path().join("state"));
    let _lock = state.lock().unwrap();
    let input = answers::reading::Input { files: vec![LOG.into()], ..answers::reading::Input::default() };
    let reading = answers::reading::Reading::of_files(&input).unwrap();
    let retention = answers::retention::Retention::default();
    answers::ingest::ingest(&state, reading, &retention, |_, _| {}).unwrap().unwrap();
    (folder, state)
}

fn bench() -> Bench {
    let (folder, state) = filled();
    let users = Users::open(state.root()).unwrap();
    let own = |domain: &str| vec![domain.to_owned()];
    users.add("admin", Role::Admin, &[], None).unwrap();
    users.add("reader", Role::Reader, &[], None).unwrap();
    users.add("masked", Role::Masked, &[], None).unwrap();
    users.add("domain", Role::Reader, &own("example.test"), None).unwrap();
    users.add("foreign", Role::Reader, &own("nobody.example"), None).unwrap();
    let names = ["admin", "reader", "masked", "domain", "foreign"];
    let tokens = names.map(|name| (name, users.add_token(name, "").unwrap())).to_vec();
    Bench { router: crate::router(App::new(config(state))), tokens, _folder: folder }
}

impl Bench {
    fn token(&self, name: &str) -> &str {
        &self.tokens.iter().find(|(known, _)| *known == name).unwrap().1
    }

    async fn ask(&self, route: &Route, token: Option<&str>) -> (StatusCode, String) {
        ask(&self.router, route, token).await
    }
}

/// An address that the route answers.
fn address(route: &Route) -> String {
    let subject = match route.path.trim_end_matches("/{*subject}").rsplit('/').next().unwrap() {
        "top" => "class",
        "client" => CLIENT,
        "account" => ACCOUNT,
        "trace" | "message" => "0123456789",
        "assets" => crate::assets::path("style.css").strip_prefix("assets/").map(str::to_owned).unwrap().leak(),
        _ => "x",
    };
    let line = route.params.contains(&Param::Line) && route.verb == Verb::Get;
    let query = if line { "?line=warning%3A+x" } else { "" };
    format!("/x/{}{query}", route.path.replace("{*subject}", subject))
}

/// What a page says while its answer is being made.
const LATER: &str = "comes again by itself";

/// A page that comes again by itself is asked for again.
async fn ask(router: &Router, route: &Route, token: Option<&str>) -> (StatusCode, String) {
    loop {
        let (status, text) = ask_now(router, route, token).await;
        if !text.contains(LATER) {
            return (status, text);
        }
    }
}

async fn ask_now(router: &Router, route: &Route, token: Option<&str>) -> (StatusCode, String) {
    let post = route.verb == Verb::Post;
    let form = if route.params.contains(&Param::Line) { "line=warning%3A+x" } else { "" };
    let mut request = Request::builder().uri(address(route)).method(if post { "POST" } else { "GET" });
    request = request.header(header::HOST, "localhost:8025");
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let request = request.body(if post { Body::from(form) } else { Body::empty() }).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let mut text = Vec::new();
    let mut body = response.into_body().into_data_stream();
    // A stream has no end: what comes at first is enough.
    while let Ok(Some(Ok(part))) = tokio::time::timeout(Duration::from_millis(500), body.next()).await {
        text.extend_from_slice(&part);
    }
    (status, String::from_utf8_lossy(&text).into_owned())
}

/// Answered, or asked wrongly: not turned away.
fn came_in(status: StatusCode) -> bool {
    !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) && status != StatusCode::SEE_OTHER
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_more_than_the_table_says() {
    let bench = bench();
    for route in route::all() {
        let shown = address(route);
        let (status, _) = bench.ask(route, None).await;
        // Signing in and out are of anybody's, and answer so to wrong passwords.
        let is_sign = route.path.starts_with("sign-");
        if route.need == Need::Nobody {
            assert!(came_in(status) || is_sign, "{shown}: {status}");
            continue;
        }
        let turned_away = if route.form == Form::Page { StatusCode::SEE_OTHER } else { StatusCode::UNAUTHORIZED };
        assert_eq!(status, turned_away, "{shown}: nobody");
        assert_eq!(bench.ask(route, Some("0123")).await.0, turned_away, "{shown}: a token that is none");
        for name in ["admin", "reader", "masked", "domain", "foreign"] {
            let (status, text) = bench.ask(route, Some(bench.token(name))).await;
            let whole = !["domain", "foreign"].contains(&name);
            let may = match route.need {
                Need::Admin => name == "admin",
                Need::Whole => whole,
                Need::Reader | Need::Nobody => true,
            };
            // A single account is of one domain.
            let own = !(name == "foreign" && route.path.contains("account/"));
            assert_eq!(came_in(status), may && own, "{shown}: {name}: {status} {text}");
            assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "{shown}: {name}: {text}");
        }
    }
}

/// Every name and address that the store holds, in full.
fn personal(state: &State) -> BTreeSet<String> {
    let index = answers::state::index(state);
    let mut found = BTreeSet::new();
    index
        .entries(&query::Query::all(), |entry, _| {
            for field in query::FIELDS.iter().filter(|field| field.personal) {
                if let Some(query::Value::Text(text)) = (field.get)(&entry) {
                    found.insert(text.to_owned());
                }
            }
            true
        })
        .unwrap();
    // A name of a letter or two stands in any text.
    found.into_iter().filter(|text| text.len() > 5 && (text.contains('@') || text.contains('.'))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_masked_and_other_domains_are_hidden_everywhere() {
    let (folder, state) = filled();
    let personal = personal(&state);
    assert!(personal.len() > 5 && personal.contains(ACCOUNT), "{personal:?}");
    let users = Users::open(state.root()).unwrap();
    users.add("masked", Role::Masked, &[], None).unwrap();
    users.add("foreign", Role::Reader, &["nobody.example".to_owned()], None).unwrap();
    let tokens = ["masked", "foreign"].map(|name| users.add_token(name, "").unwrap());
    let router = crate::router(App::new(config(state)));
    let mut shown = 0;
    for route in route::all() {
        for token in &tokens {
            let (status, text) = ask(&router, route, Some(token)).await;
            if !status.is_success() {
                continue;
            }
            shown += text.len();
            // What one asks for stands in the address of the page itself.
            let asked = address(route);
            for name in personal.iter().filter(|name| !asked.contains(name.as_str())) {
                assert!(!text.contains(name.as_str()), "{asked} shows {name}");
            }
        }
    }
    assert!(shown > 10_000);
    drop(folder);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_users_this_machine_sees_all_and_proxies_bring_nobody() {
    let (folder, state) = filled();
    let router = crate::router(App::new(config(state)));
    let count = route::all().find(|route| route.path == "api/v1/count").unwrap();
    assert_eq!(ask(&router, count, None).await, (StatusCode::OK, "{\"count\":185}".to_owned()));
    // Where others reach it, or a proxy brings them, nobody is let in though the last user was removed.
    let proxies = vec!["0.0.0.0/32".parse().unwrap()];
    let shut = Config { proxies, ..config(State::new(&folder.path().join("state"))) };
    assert_eq!(ask(&crate::router(App::new(shut)), count, None).await.0, StatusCode::UNAUTHORIZED);
    let through = Request::builder()
        .uri("/x/api/v1/count")
        .header(header::HOST, "localhost")
        .header("x-forwarded-for", "192.0.2.1");
    let response = router.clone().oneshot(through.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_wrongly() {
    let (_folder, state) = filled();
    let router = crate::router(App::new(config(state)));
    let status = |host: &'static str, method: &'static str, uri: &'static str| {
        let request =
            Request::builder().method(method).uri(uri).header(header::HOST, host).body(Body::empty()).unwrap();
        let router = router.clone();
        async move {
            let response = router.oneshot(request).await.unwrap();
            assert!(response.headers().contains_key(header::CONTENT_SECURITY_POLICY));
            response.status().as_u16()
        }
    };
    for (uri, code) in [
        ("/x/api/v1/entries?q=class:auth_failed", 200),
        ("/x/api/v1/entries?q=(a", 400),
        ("/x/api/v1/entries?q=class:nonsense", 400),
        ("/x/search?q=class:auth_failed,sent", 400),
        ("/x/search?q=class:(auth_failed%20OR%20sent)", 200),
        ("/x/api/v1/entries?nonsense=1", 400),
        ("/x/api/v1/entries?limit=1&limit=2", 400),
        ("/x/api/v1/entries?limit=-1", 400),
        ("/x/api/v1/entries?limit=99999", 400),
        ("/x/api/v1/entries?cursor=x", 400),
        ("/x/api/v1/entries?since=noon", 400),
        ("/x/api/v1/entries?q=%00", 400),
        ("/x/api/v1/top/nonsense", 400),
        ("/x/api/v1/client/nobody", 400),
        ("/x/api/v1/histogram?width=0s", 400),
        ("/x/api/v1/histogram?by=nonsense", 400),
        ("/x/api/v1/stream?after=x", 400),
        ("/x/api/v1/nonsense", 404),
        ("/nonsense", 404),
        ("/x", 308),
    ] {
        assert_eq!(status("localhost", "GET", uri).await, code, "{uri}");
    }
    assert_eq!(status("evil.example", "GET", "/x/api/v1/count").await, 421);
    assert_eq!(status("localhost", "DELETE", "/x/api/v1/count").await, 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_signs_in_and_out() {
    let (_folder, state) = filled();
    let users = Users::open(state.root()).unwrap();
    users.add("alice", Role::Reader, &[], Some("correct horse battery")).unwrap();
    let router = crate::router(App::new(config(state)));
    let post = |path: &'static str, form: &'static str, extra: Option<(&'static str, String)>| {
        let mut request = Request::builder().method("POST").uri(path).header(header::HOST, "localhost:8025");
        if let Some((name, value)) = extra {
            request = request.header(name, value);
        }
        router.clone().oneshot(request.body(Body::from(form)).unwrap())
    };
    let good = "name=alice&password=correct+horse+battery&next=search%3Fq%3Dclass%3Asent";
    let foreign = Some(("origin", "https://evil.example".to_owned()));
    assert_eq!(post("/x/sign-in", good, foreign).await.unwrap().status(), StatusCode::FORBIDDEN);
    let response = post("/x/sign-in", good, None).await.unwrap();
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert_eq!(response.headers()[header::LOCATION], "/x/search?q=class:sent");
    let cookie = response.headers()[header::SET_COOKIE].to_str().unwrap().to_owned();
    assert!(cookie.contains("; Path=/x/; ") && cookie.ends_with("HttpOnly; SameSite=Lax"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let status = |cookie: String| {
        let request =
            Request::builder().uri("/x/api/v1/count").header(header::HOST, "localhost").header(header::COOKIE, cookie);
        let router = router.clone();
        async move { router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap().status() }
    };
    assert_eq!(status(cookie.clone()).await, StatusCode::OK);
    assert_eq!(
        post("/x/sign-out", "", Some(("cookie", cookie.clone()))).await.unwrap().status(),
        StatusCode::SEE_OTHER
    );
    assert_eq!(status(cookie).await, StatusCode::UNAUTHORIZED);
    for next in ["//evil.example", "https://evil.example", "\\\\evil.example", "javascript:x", "/etc"] {
        let form = format!("name=alice&password=correct+horse+battery&next={next}").leak();
        let response = post("/x/sign-in", form, None).await.unwrap();
        assert_eq!(response.headers()[header::LOCATION], "/x/", "{next}");
    }
    for _ in 0..5 {
        assert_eq!(post("/x/sign-in", "name=alice&password=x", None).await.unwrap().status(), StatusCode::FORBIDDEN);
    }
    let response = post("/x/sign-in", good, None).await.unwrap();
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(response.headers().contains_key(header::RETRY_AFTER));
}

#[test]
fn where_it_would_be_open_to_others_it_does_not_run() {
    use crate::ServeError as E;
    let folder = tempfile::tempdir().unwrap();
    let state = State::new(folder.path());
    let check = |change: fn(&mut Config)| {
        let mut config = config(state.clone());
        change(&mut config);
        Arc::clone(&App::new(config)).check()
    };
    assert!(check(|_| {}).is_ok());
    assert!(matches!(check(|c| c.listen = "192.0.2.1:80".parse().unwrap()), Err(E::InTheClear(_))));
    assert!(matches!(check(|c| c.listen = "0.0.0.0:80".parse().unwrap()), Err(E::InTheClear(_))));
    assert!(matches!(
        check(|c| {
            c.listen = "[::]:80".parse().unwrap();
            c.tls = Some(("c".into(), "k".into()));
        }),
        Err(E::OpenToAll(_))
    ));
    assert!(matches!(check(|c| c.proxies = vec!["127.0.0.1/32".parse().unwrap()]), Err(E::OpenBehindProxy)));
    assert!(
        check(|c| {
            c.proxies = vec!["127.0.0.1/32".parse().unwrap()];
            c.no_sign_in = true;
        })
        .is_ok()
    );
    assert!(matches!(check(|c| c.name_header = Some("remote-user".parse().unwrap())), Err(E::HeaderOfAnybody)));
    Users::open(folder.path()).unwrap().add("alice", Role::Reader, &[], None).unwrap();
    assert!(
        check(|c| {
            c.listen = "[::]:80".parse().unwrap();
            c.tls = Some(("c".into(), "k".into()));
        })
        .is_ok()
    );
}

/// The table of the API in the manual.
fn manual() -> String {
    let mut out = String::from("| | parameters | who | answers |\n|---|---|---|---|\n");
    for route in route::all().filter(|route| route.form == Form::Data) {
        let verb = if route.verb == Verb::Post { "POST" } else { "GET" };
        let params: Vec<String> = route.params.iter().map(|param| format!("`{}`", param.name())).collect();
        let who = match route.need {
            Need::Nobody => "anybody",
            Need::Reader => "signed in",
            Need::Whole => "sees all domains",
            Need::Admin => "admin",
        };
        let path = route.path.replace("{*subject}", "…");
        out += &format!("| `{verb} /{path}` | {} | {who} | {} |\n", params.join(" "), route.summary);
    }
    out += "\n| parameter | means |\n|---|---|\n";
    let data = route::all().filter(|route| route.form == Form::Data);
    let known: BTreeSet<(&str, &str)> =
        data.flat_map(|route| route.params.iter()).map(|param| (param.described().0, param.described().2)).collect();
    known.iter().for_each(|(name, meaning)| out += &format!("| `{name}` | {meaning} |\n"));
    out
}

#[test]
fn the_manual_names_all_that_can_be_asked() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/api.md");
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(&manual()), "docs/reference/api.md is to hold:\n{}", manual());
}

/// Takes a recording into a store that is there.
fn ingest(state: &State, scenario: &str) {
    let log = format!("{}/../../corpus/{scenario}/mail.log", env!("CARGO_MANIFEST_DIR"));
    let _lock = state.lock().unwrap();
    let input = answers::reading::Input { files: vec![log.into()], ..answers::reading::Input::default() };
    let reading = answers::reading::Reading::of_files(&input).unwrap();
    let retention = answers::retention::Retention::default();
    answers::ingest::ingest(state, reading, &retention, |_, _| {}).unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_the_token_that_opened_it() {
    use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
    let (_folder, state) = filled();
    let users = Users::open(state.root()).unwrap();
    users.add("alice", Role::Reader, &[], None).unwrap();
    users.add("bob", Role::Reader, &[], None).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let app = App::new(Config { listen: address, ..config(state.clone()) });
    let server = tokio::spawn(crate::serve(app, listener, async move { drop(stopped.await) }));
    let watch = async |name: &str| {
        let token = users.add_token(name, "").unwrap();
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request =
            format!("GET /x/api/v1/stream HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut stream = tokio::io::BufReader::new(stream);
        let mut line = String::new();
        while !line.starts_with("id: ") {
            line.clear();
            assert!(stream.read_line(&mut line).await.unwrap() > 0, "the stream does not begin");
        }
        stream
    };
    let (mut alice, mut bob) = (watch("alice").await, watch("bob").await);
    let id = users.tokens().unwrap().iter().find(|token| token.user == "alice").unwrap().id;
    users.remove_token(id).unwrap();
    ingest(&state, "guessing");
    let mut rest = Vec::new();
    // The connection may stay open for another request; the answer ends with an empty chunk.
    let mut piece = [0; 4096];
    while !rest.ends_with(b"0\r\n\r\n") {
        let read = alice.read(&mut piece).await.unwrap();
        assert!(read > 0 || rest.is_empty());
        rest.extend_from_slice(&piece[..read]);
        if read == 0 {
            break;
        }
    }
    assert!(!String::from_utf8_lossy(&rest).contains("data:"), "what came after the token was taken back is shown");
    let mut line = String::new();
    while !line.starts_with("data: [") {
        line.clear();
        assert!(bob.read_line(&mut line).await.unwrap() > 0, "the other stream ends too");
    }
    assert!(line.contains("sasl_failed"));
    drop(bob);
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
}

/// Asks over TLS, trusting that certificate alone.
async fn over_tls(address: std::net::SocketAddr, authority: &[u8]) -> std::io::Result<String> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::CertificateDer};
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(authority.to_vec())).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config =
        config.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots).with_no_client_auth();
    let stream = tokio::net::TcpStream::connect(address).await?;
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let mut stream = connector.connect("localhost".try_into().unwrap(), stream).await?;
    stream.write_all(b"GET /x/healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
    let mut text = String::new();
    // The server may end the connection without saying so.
    let _ = stream.read_to_string(&mut text).await;
    Ok(text)
}

#[tokio::test(flavor = "multi_thread")]
async fn it_speaks_tls_and_nobody_holds_up_the_others() {
    let (folder, state) = filled();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let config = Config { tls: Some((certificate, key.clone())), listen: address, ..config(state.clone()) };
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(crate::serve(App::new(config), listener, async move {
        let _ = stopped.await;
    }));
    // Says nothing, and never will.
    let _silent = tokio::net::TcpStream::connect(address).await.unwrap();
    let text = over_tls(address, made.cert.der()).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 200") && text.ends_with("ok\n"), "{text}");
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
    assert!(matches!(crate::tls::config(&key, &key), Err(crate::TlsError::File { .. })));
    assert!(matches!(crate::tls::config(folder.path(), &key), Err(crate::TlsError::File { .. })));
}

/// What a path answers to whom a token is of.
/// A page that comes again by itself is asked for again.
async fn told(router: &Router, path: &str, token: &str) -> (StatusCode, String) {
    loop {
        let (status, text) = told_now(router, path, token).await;
        if !text.contains(LATER) {
            return (status, text);
        }
    }
}

async fn told_now(router: &Router, path: &str, token: &str) -> (StatusCode, String) {
    let request = Request::builder().uri(format!("/x/{path}")).header(header::HOST, "localhost:8025");
    let request = request.header(header::AUTHORIZATION, format!("Bearer {token}")).body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let (status, body) = (response.status(), response.into_body());
    (status, String::from_utf8(axum::body::to_bytes(body, 1 << 24).await.unwrap().to_vec()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finding_has_a_page_of_its_own_with_what_each_may_see() {
    let bench = bench();
    let id_for = async |name: &str| {
        let (_, list) = told(&bench.router, "api/v1/findings", bench.token(name)).await;
        let list: serde_json::Value = serde_json::from_str(&list).unwrap();
        list["findings"][0]["id"].as_str().unwrap().to_owned()
    };
    for name in ["admin", "reader", "masked"] {
        let (token, id) = (bench.token(name), id_for(name).await);
        let (status, json) = told(&bench.router, &format!("api/v1/findings/{id}"), token).await;
        assert_eq!(status, StatusCode::OK, "{name}: {json}");
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let ticket = |whom: &str| json["tickets"][whom].as_str().unwrap().to_owned();
        assert_eq!(json["id"], id);
        let (status, page) = told(&bench.router, &format!("findings/{id}"), token).await;
        assert_eq!(status, StatusCode::OK, "{name}: {page}");
        assert!(page.contains("For the owner of the account") && page.contains("Reference: "), "{name}");
        let is_whole = name != "masked";
        for shown in [&page, &ticket("user"), &ticket("colleague"), &ticket("abuse")] {
            assert!(is_whole || !shown.contains(ACCOUNT) && !shown.contains(CLIENT), "{name}: {shown}");
        }
        assert_eq!(
            (ticket("user").contains(ACCOUNT), ticket("abuse").contains(CLIENT)),
            (is_whole, is_whole),
            "{name}"
        );
        // It can be reached from where findings are told of.
        for from in ["", "findings"] {
            let (_, list) = told(&bench.router, from, token).await;
            assert!(list.contains(&format!("/x/findings/{id}\"")), "{name}: {from}");
        }
        for none in ["findings/takeover-0", "api/v1/findings/takeover-0"] {
            assert_eq!(told(&bench.router, none, token).await.0, StatusCode::NOT_FOUND, "{none}");
        }
    }
    // It tells of everybody who was attacked together.
    let id = id_for("reader").await;
    for name in ["domain", "foreign"] {
        for path in [format!("findings/{id}"), format!("api/v1/findings/{id}")] {
            assert_eq!(told(&bench.router, &path, bench.token(name)).await.0, StatusCode::FORBIDDEN, "{name}: {path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bans_stand_on_the_client_s_page() {
    let (folder, state) = filled();
    let log = folder.path().join("fail2ban.log");
    let line = |client: &str| {
        format!("2026-11-22 12:00:00,000 fail2ban.actions        [7]: NOTICE  [postfix-sasl] Ban {client}\n")
    };
    std::fs::write(&log, line(CLIENT) + &line("203.0.113.99")).unwrap();
    let users = Users::open(state.root()).unwrap();
    users.add("reader", Role::Reader, &[], None).unwrap();
    users.add("masked", Role::Masked, &[], None).unwrap();
    let tokens = ["reader", "masked"].map(|name| users.add_token(name, "").unwrap());
    let with_log = Config { fail2ban_logs: vec![log.clone()], ..config(state.clone()) };
    let router = crate::router(App::new(with_log));
    let (_, json) = told(&router, &format!("api/v1/client/{CLIENT}"), &tokens[0]).await;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["bans"]["fail2ban"].as_array().unwrap().len(), 1, "{}", json["bans"]);
    assert_eq!(json["bans"]["fail2ban"][0]["jail"], "postfix-sasl");
    let (_, page) = told(&router, &format!("client/{CLIENT}"), &tokens[0]).await;
    assert!(page.contains("<strong>Banned</strong> in <b>postfix-sasl</b>"), "{page}");
    assert!(page.contains(&format!("unbanip {CLIENT}")) && !page.contains("203.0.113.99"), "{page}");
    let (_, page) = told(&router, &format!("client/{CLIENT}"), &tokens[1]).await;
    assert!(page.contains("postfix-sasl") && !page.contains(&format!("unbanip {CLIENT}")), "{page}");
    let (_, page) = told(&router, "client/192.0.2.200", &tokens[0]).await;
    assert!(!page.contains("<strong>Banned</strong>"), "{page}");
    // Without a log that can be read nothing is said of bans.
    let without = Config { fail2ban_logs: vec![log.with_extension("none")], ..config(state) };
    let (_, page) = told(&crate::router(App::new(without)), &format!("client/{CLIENT}"), &tokens[0]).await;
    assert!(page.contains("Six questions") && !page.contains("by fail2ban"), "{page}");
}
