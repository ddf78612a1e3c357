// A code flow with PKCE, refresh and logout by openid-client, which checks issuer, state, nonce, signature and at_hash by
// itself.
// Reads its settings from OPENID_CLIENT_CHECK; prints what it learned as JSON; any mismatch ends it with exit 1.
import assert from 'node:assert/strict'
import * as oidc from 'openid-client'
import { Browser } from './browser.mjs'

const settings = JSON.parse(process.env.OPENID_CLIENT_CHECK)

function authentication() {
  switch (settings.method) {
    case 'client_secret_basic': return oidc.ClientSecretBasic(settings.client_secret)
    case 'client_secret_post': return oidc.ClientSecretPost(settings.client_secret)
    default: return oidc.None()
  }
}

const metadata = { id_token_signed_response_alg: settings.id_token_signed_response_alg }
const config = await oidc.discovery(new URL(settings.issuer), settings.client_id, metadata, authentication(), {
  execute: [oidc.allowInsecureRequests],
})
oidc.enableNonRepudiationChecks(config) // the signature of the ID token, through the JWKS
const verifier = oidc.randomPKCECodeVerifier()
const [state, nonce] = [oidc.randomState(), oidc.randomNonce()]
const request = oidc.buildAuthorizationUrl(config, {
  redirect_uri: settings.redirect_uri,
  scope: 'openid email profile offline_access',
  code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
  code_challenge_method: 'S256',
  max_age: '300',
  state,
  nonce,
})

const browser = new Browser()
const page = await browser.load(request)
const { email, password } = settings
const answer = await browser.submit(page, 'login', { email, password })
assert.ok(answer.url.href.startsWith(settings.redirect_uri), answer.html)

const tokens = await oidc.authorizationCodeGrant(config, answer.url, {
  pkceCodeVerifier: verifier,
  expectedState: state,
  expectedNonce: nonce,
  maxAge: 300,
  idTokenExpected: true,
})
const claims = tokens.claims()
const person = await oidc.fetchUserInfo(config, tokens.access_token, claims.sub)
const refreshed = await oidc.refreshTokenGrant(config, tokens.refresh_token)
assert.equal(refreshed.claims().sub, claims.sub)
assert.equal(refreshed.claims().auth_time, claims.auth_time)
await oidc.fetchUserInfo(config, refreshed.access_token, claims.sub)

// The code is spent: the library hears of it as the specification says.
await assert.rejects(
  oidc.authorizationCodeGrant(config, answer.url, { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce }),
  (error) => error.error === 'invalid_grant' && error.status === 400,
)
// That was a replay, which costs what came of the code, and no more: the browser is signed in still, until it logs out.
const leaving = oidc.buildEndSessionUrl(config, {
  id_token_hint: refreshed.id_token,
  post_logout_redirect_uri: settings.logged_out,
  state: 'bye',
})
let left = await browser.load(leaving)
if (left.html) left = await browser.submit(left, 'logout', {})
assert.equal(left.url.href, `${settings.logged_out}?state=bye`, left.html)
request.searchParams.set('prompt', 'none')
const silent = await browser.load(request)
assert.equal(silent.url.searchParams.get('error'), 'login_required', silent.html)
console.log(JSON.stringify({ sub: claims.sub, email: person.email, refreshed: true, logged_out: true }))
