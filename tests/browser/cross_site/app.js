// A single-page application on another site than the provider: a public client by oidc-client-ts, which is not ours.
"use strict";

window.app = (() => {
  const { issuer, client_id, check_session_iframe } = window.settings;
  const manager = new oidc.UserManager({
    authority: issuer,
    client_id,
    redirect_uri: `${location.origin}/cb`,
    silent_redirect_uri: `${location.origin}/silent`,
    post_logout_redirect_uri: `${location.origin}/after`,
    scope: "openid email offline_access",
    loadUserInfo: true,
    automaticSilentRenew: false,
    silentRequestTimeoutInSeconds: 15,
    userStore: new oidc.WebStorageStateStore({ store: localStorage }),
  });
  const told = (user) => ({
    sub: user.profile.sub,
    email: user.profile.email,
    access_token: user.access_token,
    refresh_token: user.refresh_token,
    session_state: user.session_state,
  });

  return {
    signIn: (more) => manager.signinRedirect(more),
    finish: async () => told(await manager.signinCallback()),
    refresh: async () => told(await manager.signinSilent()),
    // By `prompt=none` in a frame, as libraries did before refresh tokens.
    renewInFrame: async () => told(await manager.signinSilent({ forceIframeAuth: true })),
    signOut: () => manager.signoutRedirect({ state: "was here" }),
    signedOut: async () => (await manager.signoutCallback()).userState,
    revoke: () => manager.revokeTokens(["access_token"]),
    userinfo: async (token) => {
      const response = await fetch(`${issuer}/userinfo`, { headers: { authorization: `Bearer ${token}` } });
      return response.status;
    },
    // What the provider's frame says of the session (Session Management, 3.1).
    watch: (session_state) =>
      new Promise((resolve) => {
        const frame = document.createElement("iframe");
        window.addEventListener("message", ({ source, data }) => source === frame.contentWindow && resolve(data));
        frame.onload = () => frame.contentWindow.postMessage(`${client_id} ${session_state}`, issuer);
        frame.src = check_session_iframe;
        document.body.append(frame);
      }),
  };
})();
