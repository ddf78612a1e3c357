//! The telephone carriers of the configuration.

use std::time::Duration;

use countersign_service::outbound::{
    Carriers, Courier, HttpClient, HttpSettings, Twilio, TwilioSettings, WebhookCourier, WebhookCourierSettings,
};
use countersign_service::policy::PolicySet;
use countersign_service::policy::language::{Channel, StepKind};
use url::Url;

use crate::config::{CarrierKind, Config, TelephoneCarrier};

/// Opens every carrier, in order.
pub(crate) fn open_carriers(config: &Config) -> Result<Carriers, String> {
    let telephone = &config.telephone;
    let timeout = Duration::from_secs(telephone.timeout);
    let http = HttpClient::new(&HttpSettings {
        timeout,
        ca_file: telephone.ca_file.clone(),
        // Their addresses are the operator's own word.
        allow_private: true,
        ..HttpSettings::default()
    });
    let http = http.map_err(|error| format!("telephone: {error}"))?;
    let open = |carrier: &TelephoneCarrier| {
        let opened = open(carrier, timeout, http.clone());
        opened.map_err(|why| format!("telephone.carriers {:?}: {why}", carrier.name))
    };
    telephone.carriers.iter().map(open).collect::<Result<Vec<_>, _>>().map(Carriers::new)
}

fn open(carrier: &TelephoneCarrier, timeout: Duration, http: HttpClient) -> Result<(String, Box<dyn Courier>), String> {
    let token = carrier.token().map_err(|error| error.to_string())?;
    let base_url = Url::parse(&carrier.base_url).map_err(|error| format!("base_url: {error}"))?;
    let courier: Box<dyn Courier> = match carrier.kind {
        CarrierKind::Twilio => {
            let settings = TwilioSettings {
                base_url,
                account_sid: carrier.account_sid.clone(),
                auth_token: token,
                from: carrier.from.clone(),
                timeout,
            };
            Box::new(Twilio::new(settings, http).map_err(|error| error.to_string())?)
        }
        CarrierKind::Webhook => {
            let from = Some(carrier.from.clone()).filter(|from| !from.is_empty());
            let settings = WebhookCourierSettings { url: base_url, secret: token, from, timeout };
            Box::new(WebhookCourier::new(settings, http).map_err(|error| error.to_string())?)
        }
    };
    Ok((carrier.name.clone(), courier))
}

/// Refuses policies that text or call when there is nobody to carry it: people would wait for nothing.
pub(crate) fn check_carriers(config: &Config, policies: &PolicySet) -> Result<(), String> {
    if !config.telephone.carriers.is_empty() {
        return Ok(());
    }
    let by_phone = |kind: &StepKind| match kind {
        StepKind::Otp(otp) | StepKind::BindPhone(otp) => !otp.channels.contains(&Channel::Email),
        _ => false,
    };
    let found = policies.iter().find_map(|policy| {
        policy.steps.iter().find(|step| by_phone(&step.kind)).map(|step| format!("{}.{}", policy.id, step.name))
    });
    match found {
        None => Ok(()),
        Some(step) => Err(format!(
            "configuration: the policies send texts and calls ({step}), and no [[telephone.carriers]] is there to carry them"
        )),
    }
}
