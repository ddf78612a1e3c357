//! Who may read timelines over HTTP: a caller of the admin API who may see people.

use countersign_protocol::delegation::Permission;

use super::Timeline;
use crate::ServiceError;
use crate::admin::AdminRefusal;
use crate::audit::RequestContext;
use crate::provider::Provider;
use crate::resource_access::ResourceCall;

impl Provider {
    /// The timeline of `who`, for who presents a token that allows it.
    pub async fn read_timeline(
        &self,
        call: ResourceCall<'_>,
        who: &str,
        context: &RequestContext,
    ) -> Result<Result<Timeline, AdminRefusal>, ServiceError> {
        let caller = match self.find_caller(call, Permission::ReadUsers).await? {
            Ok(caller) => caller,
            Err(refusal) => return Ok(Err(AdminRefusal::Token(refusal))),
        };
        let Some(account) = self.find_person(who).await?.filter(|account| caller.reach.covers(&account.user)) else {
            return Ok(Err(AdminRefusal::Unknown));
        };
        let by = caller.person.as_ref().map_or("client", |person| person.user.id.as_str());
        let read = self.reading_of(&account, context)?.client(&caller.client).detail("by", by).build();
        self.write_events(&[read]).await?;
        self.timeline_of(&account).await.map(Ok)
    }
}
