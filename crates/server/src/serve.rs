//! From requests to handlers: who may ask, with which parameters, how many at once and for how long.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Request, State as Shared};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::MethodFilter;
use jiff::Timestamp;
use tokio::net::TcpListener;

use crate::access::{Origin, Peer, Viewer, is_foreign, may};
use crate::app::App;
use crate::asked::{Asked, Params};
use crate::connections::{self, Patience};
use crate::guard::{ServeError, check};
use crate::problem::Problem;
use crate::route::{self, Form, Need, Route, Verb, Weight};
use crate::{api, headers, hosts, live, pages, tls};

/// How long an answer may take before the asker is told that it takes too long.
const TIME: Duration = Duration::from_secs(20);
/// How long open requests have to end once the server is told to stop.
const STOPPING: Duration = Duration::from_secs(3);
/// How often what nobody asks for is let go.
const TIDY: Duration = Duration::from_secs(20);
/// Bytes of a form.
const FORM_BYTES: usize = 256 << 10;

/// Everything that can be asked, under the base path.
pub fn router(app: Arc<App>) -> Router {
    let base = app.config.base.clone();
    let mut router = Router::new();
    for route in route::all() {
        let method = if route.verb == Verb::Post { MethodFilter::POST } else { MethodFilter::GET };
        let handler = move |Shared(app): Shared<Arc<App>>, subject: Option<Path<String>>, request: Request| async move {
            answer(app, route, subject.map(|Path(subject)| subject).unwrap_or_default(), request).await
        };
        router = router.route(&format!("{base}{}", route.path), axum::routing::on(method, handler));
    }
    router
        .fallback(nothing)
        .method_not_allowed_fallback(not_so)
        .layer(axum::middleware::map_response(finish))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&app), own_host))
        .with_state(app)
}

/// Serves until `stop` is done. What is being answered then has a few seconds to end.
pub async fn serve(
    app: Arc<App>,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    check(&app)?;
    let (told, mut is_told) = tokio::sync::watch::channel(false);
    let of_live = Arc::clone(&app);
    let stopping = async move {
        stop.await;
        of_live.live.stopping.send_replace(true);
        let _ = told.send(true);
    };
    let tls = app.config.tls.as_ref().map(|(certificate, key)| tls::config(certificate, key)).transpose()?;
    let looking = tokio::spawn(live::look(Arc::clone(&app)));
    let tidying = tokio::spawn(tidy(Arc::clone(&app)));
    let server = connections::take(listener, tls, router(Arc::clone(&app)), Patience::default(), stopping);
    tokio::select! {
        () = server => {}
        () = async { let _ = is_told.wait_for(|told| *told).await; tokio::time::sleep(STOPPING).await } => {}
    }
    looking.abort();
    tidying.abort();
    Ok(())
}

/// Lets go of what nobody asked for lately.
async fn tidy(app: Arc<App>) {
    let mut turns = tokio::time::interval(TIDY);
    loop {
        turns.tick().await;
        app.everybody.tidy();
    }
}

async fn answer(app: Arc<App>, route: &'static Route, subject: String, request: Request) -> Response {
    let (shared, uri) = (Arc::clone(&app), request.uri().clone());
    let (origin, headers) = (origin(&app, request.headers(), request.extensions()), request.headers().clone());
    let response = match answer_or_not(app, route, subject, request).await {
        Ok(response) => response,
        Err(problem) => match (route.form, problem.status) {
            (Form::Page, StatusCode::UNAUTHORIZED) => to_sign_in(&shared, &uri),
            (Form::Data, _) => told(&shared, Form::Data, &problem, None),
            (Form::Page, _) => {
                // Whoever is signed in stays in sight of where he may go. If it cannot be known who asks, that is no reason for no answer.
                let app = Arc::clone(&shared);
                let viewer = move || app.viewer(&headers, &origin).ok().flatten().map(|viewer| (viewer, origin));
                let viewer = tokio::task::spawn_blocking(viewer).await.ok().flatten();
                told(&shared, Form::Page, &problem, viewer.as_ref())
            }
        },
    };
    shared.requests.add(route, response.status());
    response
}

fn origin(app: &App, headers: &HeaderMap, extensions: &Extensions) -> Origin {
    Origin::of(extensions.get::<Peer>().copied(), headers, &app.config.proxies)
}

async fn answer_or_not(
    app: Arc<App>,
    route: &'static Route,
    subject: String,
    request: Request,
) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let origin = origin(&app, &head.headers, &head.extensions);
    if !app.config.is_local() && !origin.secure && !origin.by_proxy {
        return Err(Problem::forbidden("this server is asked through its proxy, or over TLS"));
    }
    let is_post = route.verb == Verb::Post;
    if is_post && is_foreign(&head.headers, &own_hosts(&head.headers, &origin)) {
        return Err(Problem::forbidden("this form was sent by a page of another site"));
    }
    let form = if is_post { form_of(body).await? } else { Vec::new() };
    let gate = Arc::clone(if route.weight == Weight::Patient { &app.patient } else { &app.light });
    let work = async {
        let permit = gate.acquire_owned().await.map_err(|error| Problem::ours(&error.into()))?;
        // The permit goes with the work: what takes too long for its asker still takes its place until it ends.
        let work = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            answer_now(app, route, subject, head, origin, form)
        });
        work.await.unwrap_or_else(|error| Err(Problem::ours(&error.into())))
    };
    match tokio::time::timeout(TIME, work).await {
        Ok(answered) => answered,
        Err(_) => Err(Problem::busy(
            format!(
                "this takes longer than {} s: ask for a shorter time (`since`), or ask again later",
                TIME.as_secs()
            ),
            10,
        )),
    }
}

/// Who asks, whether that may be, and the answer.
fn answer_now(
    app: Arc<App>,
    route: &'static Route,
    subject: String,
    head: Parts,
    origin: Origin,
    form: Vec<(String, String)>,
) -> Result<Response, Problem> {
    let viewer = app.viewer(&head.headers, &origin)?;
    may(viewer.as_ref(), route, &origin)?;
    let params = Params::of(route, &head.uri, form)?;
    let asked = Asked {
        viewer: viewer.unwrap_or_else(Viewer::nobody),
        app,
        origin,
        subject,
        params,
        headers: head.headers,
        uri: head.uri,
        now: Timestamp::now(),
    };
    if route.need != Need::Nobody {
        note(&asked)?;
    }
    (route.answer)(&asked)
}

/// Notes who asked for what.
fn note(asked: &Asked) -> Result<(), Problem> {
    if let Some(name) = &asked.viewer.name {
        let (base, shown) = (&asked.app.config.base, asked.uri.to_string());
        let shown = shown.strip_prefix(base.as_str()).unwrap_or(&shown);
        asked.app.access.with(|users| users.note(name, &asked.origin.client.to_string(), shown))?;
    }
    Ok(())
}

/// What a page's own address begins with, as its browser names it.
fn own_hosts<'a>(headers: &'a HeaderMap, origin: &Origin) -> Vec<&'a str> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    text("host").into_iter().chain(text("x-forwarded-host").filter(|_| origin.by_proxy)).collect()
}

/// The page to sign in, which goes back to what was asked for.
fn to_sign_in(app: &App, uri: &Uri) -> Response {
    let wanted = uri.path_and_query().map_or("", |wanted| wanted.as_str());
    let next = wanted.strip_prefix(&app.config.base).unwrap_or_default();
    let query = serde_urlencoded::to_string([("next", next)]).unwrap_or_default();
    axum::response::Redirect::to(&format!("{}sign-in?{query}", app.config.base)).into_response()
}

async fn form_of(body: axum::body::Body) -> Result<Vec<(String, String)>, Problem> {
    let bytes = tokio::time::timeout(TIME, axum::body::to_bytes(body, FORM_BYTES)).await;
    let bytes = bytes.map_err(|_| Problem::new(StatusCode::REQUEST_TIMEOUT, "the form did not come"))?;
    let bytes = bytes
        .map_err(|_| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("a form has at most {FORM_BYTES} bytes")))?;
    serde_urlencoded::from_bytes(&bytes).map_err(|error| Problem::bad(format!("the form cannot be read: {error}")))
}

/// A problem, in the form that its asker reads.
fn told(app: &App, form: Form, problem: &Problem, viewer: Option<&(Viewer, Origin)>) -> Response {
    let response = match form {
        Form::Data => api::json(&problem.to_json()),
        Form::Page => pages::problem::page(app, problem, viewer),
    };
    let mut response = response.unwrap_or_else(|_| problem.why.clone().into_response());
    *response.status_mut() = problem.status;
    if problem.status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(seconds) = problem.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn form_for(app: &App, uri: &Uri) -> Form {
    let behind = uri.path().strip_prefix(&app.config.base).unwrap_or_default();
    if behind.starts_with("api/") { Form::Data } else { Form::Page }
}

async fn nothing(Shared(app): Shared<Arc<App>>, uri: Uri) -> Response {
    // The base path without its last slash is meant as the first page.
    if app.config.base.strip_suffix('/') == Some(uri.path()) {
        return axum::response::Redirect::permanent(&app.config.base).into_response();
    }
    told(&app, form_for(&app, &uri), &Problem::missing("there is nothing under this address"), None)
}

async fn not_so(Shared(app): Shared<Arc<App>>, uri: Uri) -> Response {
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this address is not asked in this way");
    told(&app, form_for(&app, &uri), &problem, None)
}

async fn own_host(Shared(app): Shared<Arc<App>>, request: Request, next: axum::middleware::Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let named = host.or_else(|| request.uri().authority().map(axum::http::uri::Authority::as_str)).unwrap_or_default();
    if hosts::is_own(named, app.config.listen, &app.config.hosts) {
        return next.run(request).await;
    }
    let problem = Problem::new(
        StatusCode::MISDIRECTED_REQUEST,
        "this server does not answer under this name; if it should, start it with --allow-host NAME",
    );
    finish(told(&app, form_for(&app, request.uri()), &problem, None)).await
}

async fn finish(mut response: Response) -> Response {
    headers::add(response.headers_mut());
    response
}
