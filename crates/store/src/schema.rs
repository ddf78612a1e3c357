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
        registered_at -> Nullable<BigInt>,
        fax -> Nullable<Text>,
        locale -> Nullable<Text>,
        listed_name -> Text,
    }
}

diesel::table! {
    administered_organizations (user_id, organization) {
        user_id -> Text,
        organization -> Text,
        granted_at -> BigInt,
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
    legacy_credentials (user_id) {
        user_id -> Text,
        phc -> Text,
        imported_at -> BigInt,
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
        name -> Nullable<Text>,
        used_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    clients (id) {
        id -> Text,
        document -> Text,
        disabled -> Bool,
        registered_at -> Nullable<BigInt>,
        used_at -> Nullable<BigInt>,
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
        resources -> Nullable<Text>,
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
        dpop_jkt -> Nullable<Text>,
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
        binding -> Nullable<Text>,
        access_jti -> Nullable<Text>,
        access_used_at -> Nullable<BigInt>,
        revoked_at -> Nullable<BigInt>,
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
        ticket_client -> Nullable<Text>,
        ticket_until -> Nullable<BigInt>,
        device -> Nullable<Text>,
        address -> Nullable<Text>,
        told_at -> Nullable<BigInt>,
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
        device -> Nullable<Text>,
        created_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    organizations (id) {
        id -> Text,
        name -> Text,
        npi -> Text,
        registration_code -> Binary,
        created_at -> BigInt,
        validator -> Text,
    }
}

diesel::table! {
    recovery_codes (hash) {
        hash -> Binary,
        user_id -> Text,
        created_at -> BigInt,
        used_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    links (hash) {
        hash -> Binary,
        policy -> Text,
        user_id -> Text,
        client_id -> Nullable<Text>,
        request -> Nullable<Binary>,
        locale -> Text,
        created_at -> BigInt,
        expires_at -> BigInt,
        consumed_at -> Nullable<BigInt>,
        revoked_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    federated_identities (provider, subject) {
        provider -> Text,
        subject -> Text,
        user_id -> Text,
        email -> Nullable<Text>,
        linked_at -> BigInt,
        used_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    terms_acceptances (user_id, document, version) {
        user_id -> Text,
        document -> Text,
        version -> Text,
        accepted_at -> BigInt,
    }
}

diesel::table! {
    known_devices (user_id, device) {
        user_id -> Text,
        device -> Binary,
        description -> Text,
        first_seen_at -> BigInt,
        last_seen_at -> BigInt,
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
        subject -> Nullable<Text>,
        flow -> Nullable<Text>,
        template -> Nullable<Text>,
        carrier -> Nullable<Text>,
        reference -> Nullable<Text>,
        status -> Nullable<Text>,
    }
}

diesel::table! {
    pushed_requests (hash) {
        hash -> Binary,
        client_id -> Text,
        sealed -> Binary,
        created_at -> BigInt,
        expires_at -> BigInt,
        consumed_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    spent_ids (hash) {
        hash -> Binary,
        expires_at -> BigInt,
    }
}

diesel::table! {
    revoked_tokens (jti) {
        jti -> Text,
        expires_at -> BigInt,
    }
}

diesel::table! {
    device_codes (hash) {
        hash -> Binary,
        user_code -> Binary,
        client_id -> Text,
        scope -> Text,
        resources -> Text,
        state -> Text,
        grant_id -> Nullable<Text>,
        wait_seconds -> BigInt,
        polled_at -> Nullable<BigInt>,
        created_at -> BigInt,
        expires_at -> BigInt,
    }
}

diesel::table! {
    consents (user_id, client_id) {
        user_id -> Text,
        client_id -> Text,
        scope -> Text,
        claims -> Text,
        resources -> Text,
        given_at -> BigInt,
    }
}

diesel::table! {
    effects (key) {
        key -> Text,
        at -> BigInt,
    }
}

diesel::table! {
    unfinished_accounts (user_id) {
        user_id -> Text,
        made_at -> BigInt,
        claimed -> Bool,
    }
}

diesel::table! {
    settings (key) {
        key -> Text,
        value -> Binary,
    }
}

diesel::table! {
    audit_unplaced (event_id) {
        event_id -> Text,
    }
}

diesel::table! {
    audit_expiring (event_id) {
        event_id -> Text,
    }
}

diesel::table! {
    audit_entries (position) {
        position -> BigInt,
        event_id -> Text,
        hash -> Binary,
    }
}

diesel::table! {
    audit_subtrees (level, position) {
        level -> BigInt,
        position -> BigInt,
        hash -> Binary,
    }
}

diesel::table! {
    audit_checkpoints (size) {
        size -> BigInt,
        at -> BigInt,
        note -> Text,
    }
}

diesel::table! {
    audit_sinks (name) {
        name -> Text,
        position -> BigInt,
        holder -> Text,
        held_until -> BigInt,
    }
}

diesel::table! {
    answered_requests (hash) {
        hash -> Binary,
        fingerprint -> Binary,
        made -> Text,
        at -> BigInt,
    }
}

diesel::joinable!(password_credentials -> users (user_id));
diesel::joinable!(legacy_credentials -> users (user_id));
diesel::joinable!(factors -> users (user_id));
diesel::joinable!(grants -> users (user_id));
diesel::joinable!(authorization_codes -> grants (grant_id));
diesel::joinable!(refresh_tokens -> grants (grant_id));

diesel::allow_tables_to_appear_in_same_query!(audit_events, audit_unplaced, audit_entries);
diesel::allow_tables_to_appear_in_same_query!(browser_sessions, remembered_logins);
diesel::allow_tables_to_appear_in_same_query!(
    users,
    password_credentials,
    legacy_credentials,
    factors,
    grants,
    authorization_codes,
    refresh_tokens,
    unfinished_accounts,
    links,
    browser_sessions,
    clients,
    revoked_tokens,
);
