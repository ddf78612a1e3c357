use super::*;
use crate::authorization::Prompt;
use crate::testing::{authorize, client, login_policies};

fn chosen(changes: &[(&str, &str)]) -> Result<String, ErrorCode> {
    let request = authorize(&client(), changes).unwrap();
    choose(&request, &client())
}

fn choose(request: &AuthorizationRequest, client: &Client) -> Result<String, ErrorCode> {
    let create = ["join", "registration", "phone"].map(str::to_owned);
    let policies = Choices { login: &login_policies(), create: &create };
    choose_policy(request, client, policies).map_err(|error| error.code)
}

#[test]
fn p_comes_first_then_acr_values_then_the_default() {
    let acr = "urn:unknown urn:acr:lab urn:acr:phone urn:acr:email";
    assert_eq!(chosen(&[("p", "email"), ("acr_values", acr)]).as_deref(), Ok("email"));
    // lab has an acr but is not allowed to this client; unknown values are ignored.
    assert_eq!(chosen(&[("acr_values", acr)]).as_deref(), Ok("phone"));
    assert_eq!(chosen(&[("acr_values", "urn:unknown urn:acr:lab")]).as_deref(), Ok("login-options"));
    assert_eq!(chosen(&[]).as_deref(), Ok("login-options"));
}

#[test]
fn p_outside_the_allowed_policies_is_invalid_request() {
    assert_eq!(chosen(&[("p", "lab")]), Err(ErrorCode::InvalidRequest));
    assert_eq!(chosen(&[("p", "nonsense")]), Err(ErrorCode::InvalidRequest));
}

#[test]
fn an_essential_acr_chooses_too() {
    let claims = r#"{"id_token":{"acr":{"essential":true,"values":["urn:acr:email"]}}}"#;
    assert_eq!(chosen(&[("claims", claims)]).as_deref(), Ok("email"));
}

#[test]
fn p_may_be_what_the_client_calls_a_policy_in_whatever_case() {
    let names = [("phone", "B2C_1_SignIn"), ("lab", "B2C_1_lab"), ("email", "B2C_1_signin")];
    let names = names.map(|(id, name)| (id.to_owned(), name.to_owned())).into();
    let client = Client { policy_naming: countersign_model::PolicyNaming { names, ..Default::default() }, ..client() };
    let chosen = |name: &str| {
        let request = authorize(&client, &[("p", name)]).unwrap();
        choose(&request, &client)
    };
    // Of two of that name the one that is allowed first; an id is an id.
    assert_eq!(chosen("b2c_1_signin").as_deref(), Ok("email"));
    assert_eq!(chosen("phone").as_deref(), Ok("phone"));
    for refused in ["B2C_1_lab", "B2C_1_other"] {
        assert_eq!(chosen(refused), Err(ErrorCode::InvalidRequest), "{refused}");
    }
}

#[test]
fn create_chooses_the_first_policy_of_the_client_that_registers() {
    let allowed = ["email", "registration", "join"].map(str::to_owned).to_vec();
    let joining = Client { allowed_policies: allowed, ..client() };
    let chosen = |client: &Client, more: &[(&str, &str)]| {
        let mut request = authorize(client, more).unwrap();
        request.prompt = request.prompt.with(Prompt::Create);
        choose(&request, client)
    };
    assert_eq!(chosen(&joining, &[]).as_deref(), Ok("registration"));
    assert_eq!(chosen(&joining, &[("p", "join")]).as_deref(), Ok("join"));
    assert_eq!(chosen(&joining, &[("acr_values", "urn:acr:email")]).as_deref(), Ok("registration"));
    assert_eq!(chosen(&joining, &[("p", "email")]), Err(ErrorCode::InvalidRequest), "it registers nobody");
    assert_eq!(chosen(&Client { allowed_policies: Vec::new(), ..client() }, &[]), Err(ErrorCode::InvalidRequest));
}
