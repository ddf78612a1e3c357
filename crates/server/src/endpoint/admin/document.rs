//! The document of the admin API (OpenAPI 3.1), made from its table of routes and the types of its bodies.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::call::Problem;
use super::{AdminRoute, ROOT, ROUTES};

/// The type of a body.
#[derive(Clone, Copy)]
pub struct Shape {
    name: fn() -> String,
    collect: fn(&mut BTreeMap<String, Value>),
}

/// That of `T`.
pub const fn shape<T: ToSchema>() -> Shape {
    Shape { name: name_of::<T>, collect: collect::<T> }
}

fn name_of<T: ToSchema>() -> String {
    T::name().into_owned()
}

/// Puts the schema of `T` and of everything it names among `schemas`.
fn collect<T: ToSchema>(schemas: &mut BTreeMap<String, Value>) {
    let mut named = Vec::new();
    T::schemas(&mut named);
    named.push((name_of::<T>(), T::schema()));
    for (name, schema) in named {
        schemas.insert(name, serde_json::to_value(schema).unwrap_or_default());
    }
}

/// The whole document.
pub fn openapi() -> Value {
    let problem = shape::<Problem>();
    let mut schemas = BTreeMap::new();
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    (problem.collect)(&mut schemas);
    for route in &ROUTES {
        for shape in route.body.iter().chain(&route.done.1) {
            (shape.collect)(&mut schemas);
        }
        let path = paths.entry(format!("{ROOT}{}", route.path)).or_default();
        path.insert(route.method.to_lowercase(), operation(route, problem));
    }
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Countersign admin API", "version": env!("CARGO_PKG_VERSION")},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {
                "type": "http", "scheme": "bearer", "bearerFormat": "at+jwt",
                "description": "An access token of this provider with the scope that the operation names.",
            }},
        },
    })
}

fn operation(route: &AdminRoute, problem: Shape) -> Value {
    let (status, answer) = route.done;
    let mut responses = Map::new();
    responses.insert(
        status.to_string(),
        match answer {
            Some(shape) => json!({"description": "Done.", "content": content("application/json", shape)}),
            None => json!({"description": "Done."}),
        },
    );
    let mut operation = json!({"summary": route.summary, "parameters": parameters(route)});
    if let Some(permission) = route.permission {
        let told =
            json!({"description": "The request is refused.", "content": content("application/problem+json", problem)});
        responses.insert("4XX".to_owned(), told);
        operation["security"] = json!([{"token": [permission.scope()]}]);
    }
    if let Some(body) = route.body {
        operation["requestBody"] = json!({"required": true, "content": content("application/json", body)});
    }
    operation["responses"] = responses.into();
    operation
}

fn content(media_type: &str, shape: Shape) -> Value {
    json!({media_type: {"schema": {"$ref": format!("#/components/schemas/{}", (shape.name)())}}})
}

fn parameters(route: &AdminRoute) -> Vec<Value> {
    let text = json!({"type": "string"});
    let of = |place: &str, name: &str, meaning: &str| json!({"in": place, "name": name, "description": meaning, "required": place == "path", "schema": text});
    let in_path = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let in_path = in_path.map(|name| of("path", name, "which one"));
    let in_query = route.query.iter().map(|(name, meaning)| of("query", name, meaning));
    let in_header = route.headers.iter().map(|(name, meaning)| of("header", name, meaning));
    in_path.chain(in_query).chain(in_header).collect()
}
