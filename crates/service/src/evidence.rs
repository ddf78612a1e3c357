//! What was found out beyond plain facts, on its way from the question to the transaction.

use countersign_model::{Account, Factor, FactorId, UserId};

use crate::ServiceError;
use crate::federation::Adoption;
use crate::flow::Visit;
use crate::passkeys::PasskeyChange;

/// What the effects of one decision will write, besides what the machine itself told: credentials and links that the
/// machine never sees.
#[derive(Default)]
pub(crate) struct Evidence {
    /// The passkey that signed, or was made.
    pub(crate) passkey: Option<PasskeyChange>,
    /// The person an upstream provider vouched for, where they are still to be linked.
    pub(crate) federated: Option<Adoption>,
    /// The account in question, as it was read for the facts: who is written to is not read a second time, which a watch
    /// would tell from nobody.
    pub(crate) account: Option<Account>,
}

impl Visit<'_> {
    /// The passkey that `user` has just made.
    pub(crate) fn made_passkey(&self, user: &UserId) -> Option<Factor> {
        match self.evidence?.passkey.as_ref()? {
            PasskeyChange::Made(factor) if factor.user == *user => Some((**factor).clone()),
            _ => None,
        }
    }

    /// The passkey that has just signed, as it is to be kept.
    pub(crate) fn used_passkey(&self) -> Option<(FactorId, String)> {
        match self.evidence?.passkey.as_ref()? {
            PasskeyChange::Used { factor, value } => Some((factor.clone(), value.clone())),
            PasskeyChange::Made(_) => None,
        }
    }

    /// The account of `user`, if it was read already.
    pub(crate) fn known_account(&self, user: &UserId) -> Option<&Account> {
        self.evidence?.account.as_ref().filter(|account| account.user.id == *user)
    }

    /// How `user` is linked.
    pub(crate) fn adoption(&self, user: &UserId) -> Result<Adoption, ServiceError> {
        let adoption = self.evidence.and_then(|evidence| evidence.federated.as_ref());
        let adoption = adoption.filter(|adoption| adoption.user() == user).cloned();
        adoption.ok_or(ServiceError::Internal("somebody is linked whom nobody vouched for"))
    }
}
