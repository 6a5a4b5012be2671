//! Routes: one readable table per resource, from which requests are matched and the OpenAPI document is made.
//!
//! A handler is an `async fn(State, Req) -> Result<Response, Problem>` and always answers; only the lookup of path
//! and method may reject, since in warp a rejected request falls through to the other resources. Must not know
//! what a resource does.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use hyper::Method;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{IntoParams, ToSchema};
use warp::Filter as _;
use warp::filters::BoxedFilter;

use crate::http::problem::{Code, Problem};
use crate::http::reply::Response;
use crate::http::request::{Intake, Req};

type Reply = Pin<Box<dyn Future<Output = Response> + Send>>;
type Handler = Arc<dyn Fn(Req) -> Reply + Send + Sync>;

/// Who may call a route, for the document; the handler itself checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone.
    Public,
    /// A bearer token.
    Bearer,
    /// A bearer token, or another service with `X-S2S-Token`.
    BearerOrService,
}

/// A type's schema, kept by functions so that a table costs nothing until the document is made.
#[derive(Clone, Copy)]
pub struct SchemaOf {
    /// The name under which it is shared, and the schema itself.
    pub this: fn() -> (String, RefOr<Schema>),
    /// The schemas that it refers to.
    pub within: fn(&mut Vec<(String, RefOr<Schema>)>),
}

impl SchemaOf {
    fn new<T: ToSchema>() -> Self {
        Self { this: || (T::name().into_owned(), T::schema()), within: T::schemas }
    }
}

/// What a reply carries.
#[derive(Clone, Copy)]
pub enum Carries {
    /// No body.
    Nothing,
    /// JSON of a type.
    Json(SchemaOf),
    /// A page of a list of a type.
    List(SchemaOf),
    /// Something else, by its content type.
    Other(&'static str),
}

/// A route without its handler yet: what it takes and gives.
#[derive(Clone)]
pub struct Draft {
    /// The method. A `GET` answers `HEAD` too.
    pub method: Method,
    /// The path, as in `/api/v1/games/{game_id}/play`; `{rest...}` at the end takes all that follows.
    pub pattern: &'static str,
    /// One line for a reader of the document.
    pub summary: &'static str,
    /// Who may call it.
    pub access: Access,
    /// The JSON that it takes, and whether it must be there.
    pub body: Option<(SchemaOf, bool)>,
    /// The replies that are no refusals, by status.
    pub replies: Vec<(u16, Carries)>,
    /// The refusals beyond those that follow from the rest.
    pub refusals: Vec<Code>,
    /// The query.
    pub query: Vec<utoipa::openapi::path::Parameter>,
    /// It answers 101 and becomes a WebSocket.
    pub socket: bool,
}

/// A route.
#[derive(Clone)]
pub struct Route {
    /// What it takes and gives.
    pub docs: Draft,
    segments: Vec<Segment>,
    handler: Handler,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    // In the order of preference: `/invites/redeem` before `/invites/{token}`.
    Literal(&'static str),
    Param(&'static str),
    Rest(&'static str),
}

/// A `GET` route.
#[must_use]
pub fn get(pattern: &'static str, summary: &'static str) -> Draft {
    Draft::new(Method::GET, pattern, summary)
}

/// A `POST` route.
#[must_use]
pub fn post(pattern: &'static str, summary: &'static str) -> Draft {
    Draft::new(Method::POST, pattern, summary)
}

/// A `PUT` route.
#[must_use]
pub fn put(pattern: &'static str, summary: &'static str) -> Draft {
    Draft::new(Method::PUT, pattern, summary)
}

/// A `PATCH` route.
#[must_use]
pub fn patch(pattern: &'static str, summary: &'static str) -> Draft {
    Draft::new(Method::PATCH, pattern, summary)
}

/// A `DELETE` route.
#[must_use]
pub fn delete(pattern: &'static str, summary: &'static str) -> Draft {
    Draft::new(Method::DELETE, pattern, summary)
}

/// A WebSocket route; its handler ends in [`crate::http::socket::accept`].
#[must_use]
pub fn socket(pattern: &'static str, summary: &'static str) -> Draft {
    Draft { socket: true, ..Draft::new(Method::GET, pattern, summary) }
}

impl Draft {
    fn new(method: Method, pattern: &'static str, summary: &'static str) -> Self {
        Self {
            method,
            pattern,
            summary,
            access: Access::Bearer,
            body: None,
            replies: Vec::new(),
            refusals: Vec::new(),
            query: Vec::new(),
            socket: false,
        }
    }

    /// Anyone may call it.
    #[must_use]
    pub const fn public(mut self) -> Self {
        self.access = Access::Public;
        self
    }

    /// Another service of the owner's may call it too.
    #[must_use]
    pub const fn or_service(mut self) -> Self {
        self.access = Access::BearerOrService;
        self
    }

    /// It takes JSON of this type.
    #[must_use]
    pub fn body<T: ToSchema>(mut self) -> Self {
        self.body = Some((SchemaOf::new::<T>(), true));
        self
    }

    /// It takes JSON of this type, or no body.
    #[must_use]
    pub fn optional_body<T: ToSchema>(mut self) -> Self {
        self.body = Some((SchemaOf::new::<T>(), false));
        self
    }

    /// It answers with JSON of this type.
    #[must_use]
    pub fn reply<T: ToSchema>(mut self, status: u16) -> Self {
        self.replies.push((status, Carries::Json(SchemaOf::new::<T>())));
        self
    }

    /// It answers 200 with a page of a list of this type, and takes `limit` and `cursor`.
    #[must_use]
    pub fn list<T: ToSchema>(mut self) -> Self {
        self.replies.push((200, Carries::List(SchemaOf::new::<T>())));
        self.refusals.push(Code::BadCursor);
        self
    }

    /// It answers without a body.
    #[must_use]
    pub fn empty(mut self, status: u16) -> Self {
        self.replies.push((status, Carries::Nothing));
        self
    }

    /// It answers 200 with this content type.
    #[must_use]
    pub fn gives(mut self, content_type: &'static str) -> Self {
        self.replies.push((200, Carries::Other(content_type)));
        self
    }

    /// It takes these query parameters.
    #[must_use]
    pub fn query<T: IntoParams>(mut self) -> Self {
        self.query.extend(T::into_params(|| Some(utoipa::openapi::path::ParameterIn::Query)));
        self
    }

    /// It may refuse with these codes, beside those that follow from access, path and body.
    #[must_use]
    pub fn refuses(mut self, codes: &[Code]) -> Self {
        self.refusals.extend_from_slice(codes);
        self
    }

    /// The route with its handler, which is given a copy of `state` with every request.
    pub fn to<S, F, Fut>(self, state: &S, handler: F) -> Route
    where
        S: Clone + Send + Sync + 'static,
        F: Fn(S, Req) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Response, Problem>> + Send + 'static,
    {
        let state = state.clone();
        let handler: Handler = Arc::new(move |req| {
            let reply = handler(state.clone(), req);
            Box::pin(async move { reply.await.unwrap_or_else(Problem::into_response) })
        });
        Route { segments: segments(self.pattern), docs: self, handler }
    }
}

fn segments(pattern: &'static str) -> Vec<Segment> {
    let path = pattern.strip_prefix('/').unwrap_or(pattern);
    let one = |part: &'static str| match part.strip_prefix('{').map(|p| p.trim_end_matches('}')) {
        None => Segment::Literal(part),
        Some(name) => name.strip_suffix("...").map_or(Segment::Param(name), Segment::Rest),
    };
    if path.is_empty() { Vec::new() } else { path.split('/').map(one).collect() }
}

impl Route {
    /// The parts of `path` by their names, if it fits.
    fn matches(&self, path: &[String]) -> Option<Vec<(&'static str, String)>> {
        let mut params = Vec::new();
        let mut rest = path;
        for segment in &self.segments {
            match (segment, rest.split_first()) {
                (Segment::Rest(name), _) => {
                    params.push((*name, rest.join("/")));
                    return Some(params);
                }
                (Segment::Literal(text), Some((first, others))) if first == text => rest = others,
                (Segment::Param(name), Some((first, others))) if !first.is_empty() => {
                    params.push((*name, first.clone()));
                    rest = others;
                }
                _ => return None,
            }
        }
        rest.is_empty().then_some(params)
    }

    fn takes(&self, method: &Method) -> bool {
        self.docs.method == *method || (*method == Method::HEAD && self.docs.method == Method::GET)
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.docs.method, self.docs.pattern)
    }
}

/// The routes of one resource.
#[derive(Debug, Clone)]
pub struct Resource {
    /// The name under which the document groups them.
    pub name: &'static str,
    /// The routes; the most exact pattern wins, whatever the order.
    pub routes: Vec<Route>,
}

impl Resource {
    /// A resource of these routes.
    #[must_use]
    pub fn new(name: &'static str, mut routes: Vec<Route>) -> Self {
        routes.sort_by(|a, b| a.segments.cmp(&b.segments));
        Self { name, routes }
    }

    /// The route for a request by its place, and the parts of its path.
    fn find(&self, intake: &Intake) -> Option<(usize, Vec<(&'static str, String)>)> {
        let path = intake.segments.as_deref()?;
        let mut fitting = self.routes.iter().enumerate().filter(|(_, route)| route.takes(&intake.method));
        fitting.find_map(|(place, route)| Some((place, route.matches(path)?)))
    }

    /// The methods that a path takes here.
    fn methods(&self, intake: &Intake) -> Vec<Method> {
        let Some(path) = intake.segments.as_deref() else { return Vec::new() };
        let fitting = self.routes.iter().filter(|route| route.matches(path).is_some());
        fitting.map(|route| route.docs.method.clone()).collect()
    }

    /// The filter of this resource. It rejects what none of its routes takes, and nothing else.
    fn filter(self: Arc<Self>) -> BoxedFilter<(Response,)> {
        let lookup = move |intake: Arc<Intake>| {
            let found = match self.find(&intake) {
                Some((place, params)) => Ok((Arc::clone(&self), place, Req::new(intake, params))),
                None => Err(warp::reject::custom(NoRoute(intake))),
            };
            std::future::ready(found)
        };
        // The one place where a request is rejected; handlers are reached through `then` alone.
        warp::ext::get::<Arc<Intake>>().and_then(lookup).then(run).boxed()
    }
}

/// Runs the handler. A body that is too large is refused here where the route takes none.
async fn run((resource, place, req): (Arc<Resource>, usize, Req)) -> Response {
    let Some(route) = resource.routes.get(place) else { return Problem::new(Code::NotFound).into_response() };
    let _ = req.intake().pattern.set(route.docs.pattern);
    if route.docs.body.is_none() && req.intake().body.is_err() {
        return Problem::new(Code::PayloadTooLarge).into_response();
    }
    (route.handler)(req).await
}

/// No route of a resource takes this request.
#[derive(Debug)]
struct NoRoute(Arc<Intake>);

impl warp::reject::Reject for NoRoute {}

/// All resources as one filter: each boxed, and one last recovery that knows every table.
#[must_use]
pub fn all(resources: Vec<Resource>) -> BoxedFilter<(Response,)> {
    let resources: Arc<[Arc<Resource>]> = resources.into_iter().map(Arc::new).collect();
    let none = warp::ext::get::<Arc<Intake>>()
        .and_then(|intake| std::future::ready(Err::<Response, _>(warp::reject::custom(NoRoute(intake)))))
        .boxed();
    let routes =
        resources.iter().fold(none, |before, resource| before.or(Arc::clone(resource).filter()).unify().boxed());
    let recover = move |rejection: warp::Rejection| {
        let problem = match rejection.find::<NoRoute>() {
            Some(NoRoute(intake)) => unmatched(&resources, intake),
            None => Problem::new(Code::NotFound),
        };
        std::future::ready(Ok::<_, std::convert::Infallible>(problem.into_response()))
    };
    routes.recover(recover).unify().boxed()
}

/// 405 where the path takes other methods, else 404.
fn unmatched(resources: &[Arc<Resource>], intake: &Intake) -> Problem {
    let mut allow: Vec<Method> = resources.iter().flat_map(|resource| resource.methods(intake)).collect();
    if allow.is_empty() {
        return Problem::new(Code::NotFound);
    }
    if allow.contains(&Method::GET) {
        allow.push(Method::HEAD);
    }
    allow.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    allow.dedup();
    Problem { allow, ..Problem::new(Code::MethodNotAllowed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(pattern: &'static str) -> Route {
        get(pattern, "").to(&(), |(), _| async { Ok(crate::http::reply::no_content()) })
    }

    #[track_caller]
    fn params(pattern: &'static str, path: &str) -> Option<Vec<(&'static str, String)>> {
        route(pattern).matches(&Intake::split(path).unwrap())
    }

    #[test]
    fn a_pattern_takes_whole_paths_alone() {
        assert_eq!(params("/a/{id}/b", "/a/7%2F8/b"), Some(vec![("id", "7/8".to_owned())]));
        for path in ["/a/7", "/a/7/b/", "/a/7/b/c", "/a//b", "/"] {
            assert_eq!(params("/a/{id}/b", path), None, "{path}");
        }
        assert_eq!(params("/", "/"), Some(vec![]));
        assert_eq!(params("/x/{rest...}", "/x/y/z"), Some(vec![("rest", "y/z".to_owned())]));
    }

    #[test]
    fn the_most_exact_pattern_stands_first() {
        let resource = Resource::new("r", vec![route("/i/{rest...}"), route("/i/{token}"), route("/i/redeem")]);
        let order: Vec<&str> = resource.routes.iter().map(|route| route.docs.pattern).collect();
        assert_eq!(order, ["/i/redeem", "/i/{token}", "/i/{rest...}"]);
    }
}
