//! The OpenAPI 3.1 document, made from the same tables that requests are matched with, so that the two cannot
//! differ.

use std::collections::BTreeMap;

use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::path::{HttpMethod, Operation, OperationBuilder, ParameterBuilder, ParameterIn, PathsBuilder};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, Info, OpenApi, OpenApiBuilder, PathItem, Ref, RefOr, Required, Schema, SecurityRequirement,
};
use utoipa::{PartialSchema, ToSchema};

use crate::base::id;
use crate::base::time::Timestamp;
use crate::http::problem::{Code, FieldError, PROBLEM_JSON};
use crate::http::route::{Access, Carries, Draft, Resource, SchemaOf};

/// The shared schema of refusals.
const PROBLEM: &str = "Problem";
const BEARER: &str = "bearer";
const SERVICE: &str = "service";

type Schemas = BTreeMap<String, RefOr<Schema>>;

/// The document of these resources.
#[must_use]
pub fn document(resources: &[Resource]) -> OpenApi {
    let mut schemas = Schemas::new();
    schemas.insert(PROBLEM.to_owned(), problem_schema());
    let mut items: BTreeMap<&str, PathItem> = BTreeMap::new();
    for resource in resources {
        for route in &resource.routes {
            let item = PathItem::new(method(&route.docs), operation(resource.name, &route.docs, &mut schemas));
            match items.entry(route.docs.pattern) {
                std::collections::btree_map::Entry::Vacant(place) => drop(place.insert(item)),
                std::collections::btree_map::Entry::Occupied(mut place) => place.get_mut().merge_operations(item),
            }
        }
    }
    let paths = items
        .into_iter()
        .fold(PathsBuilder::new(), |paths, (pattern, item)| paths.path(pattern.replace("...}", "}"), item));
    let mut components = ComponentsBuilder::new()
        .security_scheme(BEARER, bearer())
        .security_scheme(SERVICE, SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-S2S-Token"))));
    for (name, schema) in schemas {
        components = components.schema(name, schema);
    }
    let mut info = Info::new("Whot box", env!("CARGO_PKG_VERSION"));
    info.description = Some(
        "Every path under /api/v1 is also served under its old gateway prefix (/identity, /customer, /game, /chat)."
            .to_owned(),
    );
    OpenApiBuilder::new()
        .info(info)
        .servers(Some([utoipa::openapi::Server::new("/")]))
        .paths(paths)
        .components(Some(components.build()))
        .build()
}

/// What would make the document invalid: a route that stands twice, or two patterns that differ in the name of a
/// parameter alone. Empty in a sound set of tables; a test says so.
#[must_use]
pub fn faults(resources: &[Resource]) -> Vec<String> {
    let mut shapes: BTreeMap<String, &str> = BTreeMap::new();
    let mut seen = std::collections::BTreeSet::new();
    let mut faults = Vec::new();
    for draft in resources.iter().flat_map(|resource| &resource.routes).map(|route| &route.docs) {
        let parts = draft.pattern.split('/').map(|part| if part.starts_with('{') { "{}" } else { part });
        let first = shapes.entry(parts.collect::<Vec<_>>().join("/")).or_insert(draft.pattern);
        if *first != draft.pattern {
            faults.push(format!("{first} and {} are one path: name its parameter alike", draft.pattern));
        }
        if !seen.insert((draft.method.as_str(), draft.pattern)) {
            faults.push(format!("{} {} stands twice", draft.method, draft.pattern));
        }
        if !draft.socket && draft.replies.is_empty() {
            faults.push(format!("{} {} names no reply", draft.method, draft.pattern));
        }
    }
    faults
}

/// The document as it is served and kept in `schemas/http/openapi.json`.
#[must_use]
pub fn text(resources: &[Resource]) -> String {
    // A document is strings, numbers and maps with text keys, which always have a JSON form.
    document(resources).to_pretty_json().unwrap_or_default() + "\n"
}

fn bearer() -> SecurityScheme {
    SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build())
}

fn method(draft: &Draft) -> HttpMethod {
    match draft.method.as_str() {
        "POST" => HttpMethod::Post,
        "PUT" => HttpMethod::Put,
        "PATCH" => HttpMethod::Patch,
        "DELETE" => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}

fn share(of: SchemaOf, schemas: &mut Schemas) -> RefOr<Schema> {
    let (name, schema) = (of.this)();
    let mut within = vec![(name.clone(), schema)];
    (of.within)(&mut within);
    schemas.extend(within);
    Ref::from_schema_name(name).into()
}

fn string() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn operation(tag: &str, draft: &Draft, schemas: &mut Schemas) -> Operation {
    let verb = draft.method.as_str().to_ascii_lowercase();
    let id: String = draft.pattern.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let id = id.trim_start_matches("_api_v1").split('_').filter(|p| !p.is_empty()).collect::<Vec<_>>().join("_");
    // A page may have the path of what it shows.
    let is_page = draft.replies.iter().any(|(_, carries)| matches!(carries, Carries::Other("text/html")));
    let id = if is_page { format!("page_{id}").trim_end_matches('_').to_owned() } else { id };
    let mut operation = OperationBuilder::new()
        .tag(tag)
        .summary(Some(draft.summary))
        .operation_id(Some(if id.is_empty() { verb } else { format!("{verb}_{id}") }));
    for name in path_params(draft.pattern) {
        let param = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path).required(Required::True);
        operation = operation.parameter(param.schema(Some(string())));
    }
    for param in query_params(draft) {
        operation = operation.parameter(param);
    }
    if let Some((of, required)) = draft.body {
        let content = ContentBuilder::new().schema(Some(share(of, schemas))).build();
        let required = if required { Required::True } else { Required::False };
        let body = RequestBodyBuilder::new().content("application/json", content).required(Some(required));
        operation = operation.request_body(Some(body.build()));
    }
    operation = match draft.access {
        Access::Public => operation.securities(Some(Vec::new())),
        Access::Bearer => operation.security(requirement(BEARER)),
        Access::BearerOrService => operation.security(requirement(BEARER)).security(requirement(SERVICE)),
    };
    replies(operation, draft, schemas).build()
}

fn requirement(name: &str) -> SecurityRequirement {
    SecurityRequirement::new(name, Vec::<String>::new())
}

fn path_params(pattern: &str) -> impl Iterator<Item = &str> {
    pattern.split('/').filter_map(|part| Some(part.strip_prefix('{')?.trim_end_matches('}').trim_end_matches("...")))
}

fn query_params(draft: &Draft) -> Vec<utoipa::openapi::path::Parameter> {
    let mut out = draft.query.clone();
    let asked = |name: &str, schema: ObjectBuilder| {
        let param = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Query).required(Required::False);
        param.schema(Some(schema)).build()
    };
    if draft.replies.iter().any(|(_, carries)| matches!(carries, Carries::List(_))) {
        let limit = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(200));
        out.push(asked("limit", limit.default(Some(50.into()))));
        out.push(asked("cursor", string()));
    }
    out
}

fn replies(mut operation: OperationBuilder, draft: &Draft, schemas: &mut Schemas) -> OperationBuilder {
    if draft.socket {
        let reply = ResponseBuilder::new().description("The WebSocket is open, subprotocol `whot.v1`.");
        operation = operation.response("101", reply.build());
    }
    for (status, carries) in &draft.replies {
        let reply = ResponseBuilder::new().description(reason(*status));
        let reply = match *carries {
            Carries::Nothing => reply,
            Carries::Json(of) => {
                reply.content("application/json", ContentBuilder::new().schema(Some(share(of, schemas))).build())
            }
            Carries::List(of) => reply.content("application/json", page(share(of, schemas))),
            Carries::Other(kind) => reply.content(kind, ContentBuilder::new().schema(Some(string())).build()),
        };
        operation = operation.response(status.to_string(), reply.build());
    }
    let mut by_status: BTreeMap<u16, Vec<&str>> = BTreeMap::new();
    for code in refusals(draft) {
        by_status.entry(code.status()).or_default().push(code.as_str());
    }
    for (status, codes) in by_status {
        let words = codes.iter().map(|code| format!("`{code}`")).collect::<Vec<_>>().join(", ");
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(PROBLEM))).build();
        let reply = ResponseBuilder::new().description(words).content(PROBLEM_JSON, content);
        operation = operation.response(status.to_string(), reply.build());
    }
    operation
}

fn reason(status: u16) -> &'static str {
    hyper::StatusCode::from_u16(status).ok().as_ref().and_then(hyper::StatusCode::canonical_reason).unwrap_or("Done")
}

/// The codes that a route names and those that follow from its access, path, query and body.
fn refusals(draft: &Draft) -> std::collections::BTreeSet<Code> {
    let mut codes: std::collections::BTreeSet<Code> = draft.refusals.iter().copied().collect();
    if draft.access != Access::Public {
        codes.extend([Code::Unauthenticated, Code::AccountSuspended, Code::PasswordChangeRequired]);
    }
    if path_params(draft.pattern).next().is_some() {
        codes.insert(Code::NotFound);
    }
    if draft.body.is_some() {
        codes.extend([Code::MalformedJson, Code::PayloadTooLarge, Code::UnsupportedMediaType, Code::Invalid]);
    }
    if !query_params(draft).is_empty() {
        codes.insert(Code::Invalid);
    }
    if draft.socket {
        codes.extend([Code::ForeignOrigin, Code::UpgradeRequired]);
    }
    codes
}

fn page(item: RefOr<Schema>) -> utoipa::openapi::Content {
    let null = ObjectBuilder::new().schema_type(Type::Null);
    let cursor = OneOfBuilder::new().item(string()).item(null);
    let schema = ObjectBuilder::new()
        .property("items", ArrayBuilder::new().items(item))
        .property("next_cursor", cursor)
        .required("items")
        .required("next_cursor");
    ContentBuilder::new().schema(Some(schema)).build()
}

/// RFC 9457 with our members; `code` lists every code there is.
fn problem_schema() -> RefOr<Schema> {
    let codes = string().enum_values(Some(Code::ALL.iter().map(|code| code.as_str())));
    let number = || ObjectBuilder::new().schema_type(Type::Integer);
    let mut schema = ObjectBuilder::new()
        .property("code", codes)
        .property("status", number())
        .property("errors", ArrayBuilder::new().items(FieldError::schema()))
        .property("retry_after", number())
        .required("code")
        .required("status");
    for name in ["type", "title", "detail", "instance", "request_id"] {
        schema = schema.property(name, string()).required(name);
    }
    schema.into()
}

/// A base type that is a string on the wire.
macro_rules! strings {
    ($($name:ty),* $(,)?) => {$(
        impl utoipa::__dev::ComposeSchema for $name {
            fn compose(_: Vec<RefOr<Schema>>) -> RefOr<Schema> {
                string().into()
            }
        }
        impl ToSchema for $name {}
    )*};
}

strings!(
    id::RawId,
    id::UserId,
    id::SessionId,
    id::AttemptId,
    id::OtpId,
    id::LegacyId,
    id::InviteId,
    id::RelationshipId,
    id::GameInviteId,
    id::GameId,
    id::ConversationId,
    id::MessageId,
    id::AuditId,
    crate::base::text::Username,
    crate::base::text::Alias,
    crate::base::text::Reason,
    crate::base::text::ClientId,
    crate::base::text::Phone,
);

impl utoipa::__dev::ComposeSchema for Timestamp {
    fn compose(_: Vec<RefOr<Schema>>) -> RefOr<Schema> {
        let format = utoipa::openapi::SchemaFormat::KnownFormat(utoipa::openapi::KnownFormat::DateTime);
        string().format(Some(format)).into()
    }
}
impl ToSchema for Timestamp {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::route::{get, post};

    #[test]
    fn what_would_make_the_document_invalid_is_found() {
        let route = |draft: Draft| draft.to(&(), |(), _| async { Ok(crate::http::reply::no_content()) });
        let sound = vec![route(get("/a/{id}", "").empty(204)), route(post("/a/{id}", "").empty(204))];
        let doubled = vec![route(get("/a/{id}", "").empty(204)), route(get("/a/{id}", "").empty(204))];
        let renamed = vec![route(get("/a/{id}", "").empty(204)), route(post("/a/{token}", "").empty(204))];
        let silent = vec![route(get("/a", ""))];
        assert_eq!(faults(&[Resource::new("a", sound)]), Vec::<String>::new());
        for planted in [doubled, renamed, silent] {
            assert_eq!(faults(&[Resource::new("a", planted)]).len(), 1);
        }
    }
}
