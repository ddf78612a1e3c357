// The page that a frame of the application comes back to.
"use strict";

new oidc.UserManager({ authority: "unused", client_id: "unused", redirect_uri: "unused" }).signinSilentCallback();
