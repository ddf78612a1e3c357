//! The use cases of the admin API: who shows a token of ours looks after people, and looks at the deployment.
//!
//! Those that read write down who reads what, those that change something begin with
//! [`Provider::find_writer`](crate::Provider::find_writer), which counts; every account is found within the caller's
//! reach, so that one out of it and one that is not there are answered alike; and every change asks again in its own
//! transaction.

mod caller;
mod clients;
mod organizations;
mod reading;
mod records;
mod roles;
mod users;
mod view;

pub use caller::{AdminRefusal, Caller};
pub use clients::{ClientChange, CreateClient, ReplaceClient, RotateSecret};
pub use organizations::{ChangeOrganization, CreateOrganization};
pub use records::AuditQuery;
pub use roles::ChangeRole;
pub use users::{CreateUser, UserChange, UserQuery};
pub use view::{
    AuditPage, ClientList, ClientMade, EventView, FactorView, KeyList, KeyView, OrganizationList, OrganizationView,
    PolicyList, PolicyView, ProofList, ProofView, RegisteredClient, RoleList, RoleView, SecretView, SessionList,
    SessionView, UserPage, UserView,
};

/// What a use case of the admin API answers.
pub(crate) type Answer<T> = Result<Result<T, AdminRefusal>, crate::ServiceError>;
