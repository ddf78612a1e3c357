//! Scope values with a meaning of their own, and the claims they stand for (OpenID Connect Core, 5.4).

/// Makes a request an OpenID Connect request.
pub const OPENID: &str = "openid";
/// The person's profile.
pub const PROFILE: &str = "profile";
/// The mail address.
pub const EMAIL: &str = "email";
/// The postal address.
pub const ADDRESS: &str = "address";
/// The phone number.
pub const PHONE: &str = "phone";
/// Refresh tokens (OpenID Connect Core, 11).
pub const OFFLINE_ACCESS: &str = "offline_access";

/// Every value that speaks of a person: meaningless for a client on its own behalf.
pub const OF_A_PERSON: [&str; 6] = [OPENID, PROFILE, EMAIL, ADDRESS, PHONE, OFFLINE_ACCESS];

/// The claim that says how somebody signed in, and nothing of who they are: of no scope.
pub const ACR: &str = "acr";

/// Claims released by scope (OpenID Connect Core, 5.4).
pub const CLAIMS: [(&str, &[&str]); 4] = [
    (
        PROFILE,
        &[
            "name",
            "family_name",
            "given_name",
            "middle_name",
            "nickname",
            "preferred_username",
            "profile",
            "picture",
            "website",
            "gender",
            "birthdate",
            "zoneinfo",
            "locale",
            "updated_at",
        ],
    ),
    (EMAIL, &["email", "email_verified"]),
    (ADDRESS, &["address"]),
    (PHONE, &["phone_number", "phone_number_verified"]),
];

/// The scope value that stands for `claim`; none: not a claim about a person's profile.
pub fn covering(claim: &str) -> Option<&'static str> {
    CLAIMS.iter().find(|(_, claims)| claims.contains(&claim)).map(|(scope, _)| *scope)
}
