//! The tables, the same in both databases: only `Text`, `BigInt` (milliseconds), `Bool` and `Binary`.

diesel::table! {
    users (id) {
        id -> Text,
        email -> Nullable<Text>,
        username -> Nullable<Text>,
        status -> Text,
        organization -> Nullable<Text>,
        roles -> Text,
        profile -> Text,
        terms_version -> Nullable<Text>,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    password_credentials (user_id) {
        user_id -> Text,
        phc -> Text,
        changed_at -> BigInt,
    }
}

diesel::table! {
    factors (id) {
        id -> Text,
        user_id -> Text,
        kind -> Text,
        value -> Text,
        last_step -> Nullable<BigInt>,
        bound_at -> BigInt,
    }
}

diesel::table! {
    clients (id) {
        id -> Text,
        document -> Text,
        disabled -> Bool,
    }
}

diesel::table! {
    grants (id) {
        id -> Text,
        client_id -> Text,
        user_id -> Text,
        session_id -> Text,
        authentication -> Text,
        scope -> Text,
        nonce -> Nullable<Text>,
        claims -> Text,
        created_at -> BigInt,
        revoked_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    authorization_codes (hash) {
        hash -> Binary,
        grant_id -> Text,
        client_id -> Text,
        redirect_uri -> Text,
        code_challenge -> Nullable<Text>,
        created_at -> BigInt,
        expires_at -> BigInt,
        consumed_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    refresh_tokens (hash) {
        hash -> Binary,
        grant_id -> Text,
        client_id -> Text,
        scope -> Text,
        created_at -> BigInt,
        expires_at -> BigInt,
        consumed_at -> Nullable<BigInt>,
        successor -> Nullable<Binary>,
    }
}

diesel::table! {
    browser_sessions (id) {
        id -> Text,
        token -> Binary,
        user_id -> Text,
        authentication -> Text,
        created_at -> BigInt,
        seen_at -> BigInt,
        expires_at -> BigInt,
        ended_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    remembered_logins (browser, policy) {
        browser -> Binary,
        policy -> Text,
        user_id -> Text,
        authentication -> Text,
        facts -> Text,
        expires_at -> BigInt,
    }
}

diesel::table! {
    signing_keys (id) {
        id -> Text,
        algorithm -> Text,
        public_jwk -> Text,
        sealed_private -> Binary,
        created_at -> BigInt,
        use_from -> BigInt,
        retire_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    audit_events (id) {
        id -> Text,
        at -> BigInt,
        kind -> Text,
        outcome -> Text,
        subject -> Nullable<Text>,
        client_id -> Nullable<Text>,
        grant_id -> Nullable<Text>,
        jti -> Nullable<Text>,
        flow -> Nullable<Text>,
        request -> Nullable<Text>,
        address -> Nullable<Text>,
        detail -> Text,
    }
}

diesel::table! {
    outbox (id) {
        id -> Text,
        idempotency_key -> Text,
        channel -> Text,
        sealed -> Nullable<Binary>,
        state -> Text,
        attempts -> BigInt,
        created_at -> BigInt,
        due_at -> BigInt,
        expires_at -> BigInt,
        claimed_until -> Nullable<BigInt>,
        finished_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    effects (key) {
        key -> Text,
        at -> BigInt,
    }
}

diesel::table! {
    settings (key) {
        key -> Text,
        value -> Binary,
    }
}

diesel::joinable!(password_credentials -> users (user_id));
diesel::joinable!(factors -> users (user_id));
diesel::joinable!(grants -> users (user_id));
diesel::joinable!(authorization_codes -> grants (grant_id));
diesel::joinable!(refresh_tokens -> grants (grant_id));

diesel::allow_tables_to_appear_in_same_query!(
    users,
    password_credentials,
    factors,
    grants,
    authorization_codes,
    refresh_tokens,
);
