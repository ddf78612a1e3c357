use super::*;

#[test]
fn only_invalid_client_by_header_gets_a_challenge_rfc6749_5_2() {
    let cases = [
        (ErrorCode::InvalidClient, true, 401, Some(OAuthError::BASIC_CHALLENGE)),
        (ErrorCode::InvalidClient, false, 401, None),
        (ErrorCode::InvalidRequest, true, 400, None),
        (ErrorCode::InvalidGrant, true, 400, None),
        (ErrorCode::UnauthorizedClient, true, 400, None),
        (ErrorCode::UnsupportedGrantType, false, 400, None),
        (ErrorCode::InvalidScope, false, 400, None),
        (ErrorCode::ServerError, false, 500, None),
        (ErrorCode::TemporarilyUnavailable, false, 503, None),
    ];
    for (code, header_used, status, www_authenticate) in cases {
        let error = OAuthError::new(code, "").with_basic_challenge(header_used);
        assert_eq!(error.token_status(), TokenErrorStatus { status, www_authenticate }, "{code:?} {header_used}");
    }
}

#[test]
fn the_body_holds_code_and_description_and_no_detail() {
    let error = OAuthError::new(ErrorCode::InvalidGrant, "Gone").with_detail("code of another client");
    assert_eq!(error.body(), json!({ "error": "invalid_grant", "error_description": "Gone" }));
    assert!(error.to_string().contains("another client"));
}

#[test]
fn a_description_keeps_only_what_rfc6749_4_1_2_1_allows() {
    let error = OAuthError::new(ErrorCode::InvalidRequest, "a \"b\"\r\n\t\\c ~!#[]\u{fc}");
    assert_eq!(error.public_description(), "a bc ~!#[]");
}

#[test]
fn every_code_has_a_text_of_its_own() {
    for code in ErrorCode::ALL {
        assert_eq!(ErrorCode::from_word(code.as_str()), Some(*code));
    }
}
