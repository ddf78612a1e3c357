//! The admin API, `/admin/api/v1`, for programs (RFC 6750; RFC 9449, 7; RFC 9457; RFC 9470).

mod call;
mod deployment;
mod document;
mod handlers;

use actix_web::Route;
use actix_web::web::{self, ServiceConfig};
use countersign_protocol::delegation::Permission;
use countersign_service::{
    AuditPage, ChangeOrganization, ChangeRole, ClientList, ClientMade, CreateClient, CreateOrganization, CreateUser,
    KeyList, OrganizationList, OrganizationView, PolicyList, ProofList, RegisteredClient, ReplaceClient, RoleList,
    RotateSecret, SessionList, UserPage, UserView,
};

use self::document::{Shape, shape};
use self::handlers::Reason;
use crate::error::method_not_allowed;

/// Where all of it is.
pub const ROOT: &str = "/admin/api/v1";

/// What a program may do at an address of the admin API. The document of the API is made from it.
#[derive(Clone, Copy)]
pub struct AdminRoute {
    /// `GET`, `POST`, `PUT` or `DELETE`.
    pub method: &'static str,
    /// Its path below [`ROOT`]; what is in braces is an id.
    pub path: &'static str,
    /// What the caller must be allowed; none: anybody may see it.
    pub permission: Option<Permission>,
    /// What it does.
    summary: &'static str,
    /// Parameters of its query: name and meaning.
    query: &'static [(&'static str, &'static str)],
    /// Headers of the request it looks at: name and meaning.
    headers: &'static [(&'static str, &'static str)],
    body: Option<Shape>,
    /// Status of what is done, and its document; none: it has no body, or is described elsewhere.
    done: (u16, Option<Shape>),
    handler: fn() -> Route,
}

const PAGES: [(&str, &str); 2] =
    [("after", "what `next` of the page before says"), ("limit", "entries of a page, 1 to 200; 50 unless it is said")];
const IF_MATCH: (&str, &str) = ("If-Match", "the ETag that what is changed must have");
const KEY: (&str, &str) =
    ("Idempotency-Key", "1 to 200 characters; sent again with the same body within a day, it makes nothing more");

/// Every address of the admin API, those of one path together. Nothing else of it is routed; the document is made from
/// it, and the tests try each as every role.
pub const ROUTES: [AdminRoute; 32] = [
    get("/openapi.json", None, "This document.", None, || web::get().to(handlers::openapi)),
    AdminRoute {
        query: &[
            ("search", "text in name, mail address or user name"),
            ("organization", "id of an organization"),
            ("status", "`active` or `disabled`"),
            PAGES[0],
            PAGES[1],
        ],
        ..get("/users", Some(Permission::ReadUsers), "People, by name.", Some(shape::<UserPage>()), || {
            web::get().to(handlers::list_users)
        })
    },
    AdminRoute {
        headers: &[KEY],
        done: (201, Some(shape::<UserView>())),
        ..post(
            "/users",
            Permission::WriteUsers,
            "Makes an account and mails its invitation.",
            Some(shape::<CreateUser>()),
            || web::post().to(handlers::create_user),
        )
    },
    get("/users/{user}", Some(Permission::ReadUsers), "One person.", Some(shape::<UserView>()), || {
        web::get().to(handlers::find_user)
    }),
    post(
        "/users/{user}/disable",
        Permission::WriteUsers,
        "Lets a person sign in no more, ends what is signed in, and tells them.",
        Some(shape::<Reason>()),
        || web::post().to(handlers::disable_user),
    ),
    post(
        "/users/{user}/enable",
        Permission::WriteUsers,
        "Lets a person sign in again.",
        Some(shape::<Reason>()),
        || web::post().to(handlers::enable_user),
    ),
    post(
        "/users/{user}/reset-registration",
        Permission::ResetUsers,
        "Takes password and factors away, tells the old phone, and mails the link of a registration.",
        Some(shape::<Reason>()),
        || web::post().to(handlers::reset_user),
    ),
    post(
        "/users/{user}/invitation",
        Permission::WriteUsers,
        "Mails the invitation again; the link before stops working.",
        None,
        || web::post().to(handlers::invite_user),
    ),
    post(
        "/users/{user}/unlock",
        Permission::WriteUsers,
        "Forgets wrong passwords and codes, and the locks they brought.",
        Some(shape::<Reason>()),
        || web::post().to(handlers::unlock_user),
    ),
    get("/users/{user}/roles", Some(Permission::ReadUsers), "A person's roles.", Some(shape::<RoleList>()), || {
        web::get().to(handlers::list_roles)
    }),
    post(
        "/users/{user}/roles",
        Permission::ChangeRoles,
        "Grants a role, and tells the person.",
        Some(shape::<ChangeRole>()),
        || web::post().to(handlers::grant_role),
    ),
    post(
        "/users/{user}/roles/revoke",
        Permission::ChangeRoles,
        "Revokes a role, and tells the person.",
        Some(shape::<ChangeRole>()),
        || web::post().to(handlers::revoke_role),
    ),
    get("/users/{user}/sessions", Some(Permission::ReadUsers), "Live sessions.", Some(shape::<SessionList>()), || {
        web::get().to(handlers::list_sessions)
    }),
    AdminRoute {
        method: "DELETE",
        done: (204, None),
        ..get("/users/{user}/sessions/{session}", Some(Permission::WriteUsers), "Ends a session.", None, || {
            web::delete().to(handlers::end_session)
        })
    },
    get("/users/{who}/timeline", Some(Permission::ReadUsers), "What happened to a person's attempts.", None, || {
        web::get().to(handlers::timeline)
    }),
    AdminRoute {
        query: &[
            ("kind", "such as `token.issued`"),
            ("subject", "id of a person"),
            ("client", "id of a client"),
            ("jti", "id of a token"),
            ("since", "seconds since 1970, not before"),
            ("until", "seconds since 1970, before"),
            PAGES[0],
            PAGES[1],
        ],
        ..get(
            "/audit/events",
            Some(Permission::ReadAudit),
            "The audit, newest first.",
            Some(shape::<AuditPage>()),
            || web::get().to(handlers::list_events),
        )
    },
    get(
        "/audit/tokens/{jti}/proofs",
        Some(Permission::ReadAudit),
        "The entries about a token, each with the proof that it is in the log.",
        Some(shape::<ProofList>()),
        || web::get().to(handlers::prove_events),
    ),
    get("/clients", Some(Permission::ReadClients), "Every client, by id.", Some(shape::<ClientList>()), || {
        web::get().to(handlers::list_clients)
    }),
    AdminRoute {
        headers: &[KEY],
        done: (201, Some(shape::<ClientMade>())),
        ..post(
            "/clients",
            Permission::WriteClients,
            "Registers a client, and tells its secret this once.",
            Some(shape::<CreateClient>()),
            || web::post().to(deployment::create_client),
        )
    },
    get("/clients/{client}", Some(Permission::ReadClients), "One client.", Some(shape::<RegisteredClient>()), || {
        web::get().to(handlers::find_client)
    }),
    AdminRoute {
        method: "PUT",
        done: (200, Some(shape::<RegisteredClient>())),
        ..post(
            "/clients/{client}",
            Permission::WriteClients,
            "Replaces what is registered of a client; its secrets stay.",
            Some(shape::<ReplaceClient>()),
            || web::put().to(deployment::replace_client),
        )
    },
    AdminRoute {
        done: (200, Some(shape::<RegisteredClient>())),
        ..post(
            "/clients/{client}/disable",
            Permission::WriteClients,
            "Refuses a client wherever it shows itself.",
            Some(shape::<Reason>()),
            || web::post().to(deployment::disable_client),
        )
    },
    AdminRoute {
        done: (200, Some(shape::<RegisteredClient>())),
        ..post(
            "/clients/{client}/enable",
            Permission::WriteClients,
            "Refuses a client no longer.",
            Some(shape::<Reason>()),
            || web::post().to(deployment::enable_client),
        )
    },
    AdminRoute {
        done: (200, Some(shape::<ClientMade>())),
        ..post(
            "/clients/{client}/secret",
            Permission::WriteClients,
            "Makes another secret, which is told this once; those before work on for a while.",
            Some(shape::<RotateSecret>()),
            || web::post().to(deployment::rotate_secret),
        )
    },
    AdminRoute {
        done: (204, None),
        ..post(
            "/clients/{client}/remove",
            Permission::WriteClients,
            "Removes a client, and ends its grants.",
            Some(shape::<Reason>()),
            || web::post().to(deployment::remove_client),
        )
    },
    get(
        "/organizations",
        Some(Permission::ReadOrganizations),
        "The organizations that the caller sees.",
        Some(shape::<OrganizationList>()),
        || web::get().to(handlers::list_organizations),
    ),
    AdminRoute {
        headers: &[KEY],
        done: (201, Some(shape::<OrganizationView>())),
        ..post(
            "/organizations",
            Permission::WriteOrganizations,
            "Enters an organization.",
            Some(shape::<CreateOrganization>()),
            || web::post().to(deployment::create_organization),
        )
    },
    get(
        "/organizations/{organization}",
        Some(Permission::ReadOrganizations),
        "One organization.",
        Some(shape::<OrganizationView>()),
        || web::get().to(deployment::find_organization),
    ),
    AdminRoute {
        method: "PUT",
        done: (200, Some(shape::<OrganizationView>())),
        ..post(
            "/organizations/{organization}",
            Permission::WriteOrganizations,
            "Changes an organization.",
            Some(shape::<ChangeOrganization>()),
            || web::put().to(deployment::change_organization),
        )
    },
    get("/keys", Some(Permission::ReadKeys), "The published signing keys.", Some(shape::<KeyList>()), || {
        web::get().to(handlers::list_keys)
    }),
    AdminRoute {
        headers: &[],
        done: (200, Some(shape::<KeyList>())),
        ..post(
            "/keys/rotate",
            Permission::RotateKeys,
            "Announces another signing key for each algorithm.",
            Some(shape::<Reason>()),
            || web::post().to(deployment::rotate_keys),
        )
    },
    get("/policies", Some(Permission::ReadPolicies), "The policies that run.", Some(shape::<PolicyList>()), || {
        web::get().to(handlers::list_policies)
    }),
];

const fn get(
    path: &'static str,
    permission: Option<Permission>,
    summary: &'static str,
    answer: Option<Shape>,
    handler: fn() -> Route,
) -> AdminRoute {
    let done = (200, answer);
    AdminRoute { method: "GET", path, permission, summary, query: &[], headers: &[], body: None, done, handler }
}

const fn post(
    path: &'static str,
    permission: Permission,
    summary: &'static str,
    body: Option<Shape>,
    handler: fn() -> Route,
) -> AdminRoute {
    let (permission, done) = (Some(permission), (200, Some(shape::<UserView>())));
    AdminRoute { method: "POST", path, permission, summary, query: &[], headers: &[IF_MATCH], body, done, handler }
}

/// Routes [`ROUTES`].
pub fn routes(routes: &mut ServiceConfig) {
    for rows in ROUTES.chunk_by(|one, two| one.path == two.path) {
        let Some(first) = rows.first() else { continue };
        let allowed = rows.iter().map(|row| row.method).collect::<Vec<_>>().join(", ");
        let resource = web::resource(format!("{ROOT}{}", first.path));
        let resource = rows.iter().fold(resource, |resource, row| resource.route((row.handler)()));
        routes.service(resource.default_service(web::to(move || {
            let allowed = allowed.clone();
            async move { method_not_allowed(&allowed) }
        })));
    }
}
