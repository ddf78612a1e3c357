// A code flow with PKCE by openid-client, which checks issuer, state, nonce, signature and at_hash by itself.
// Reads its settings from OPENID_CLIENT_CHECK; prints what it learned as JSON; any mismatch ends it with exit 1.
import assert from 'node:assert/strict'
import * as oidc from 'openid-client'

const settings = JSON.parse(process.env.OPENID_CLIENT_CHECK)

function authentication() {
  switch (settings.method) {
    case 'client_secret_basic': return oidc.ClientSecretBasic(settings.client_secret)
    case 'client_secret_post': return oidc.ClientSecretPost(settings.client_secret)
    default: return oidc.None()
  }
}

// A browser that follows redirects within the provider and types into the form it finds.
class Browser {
  cookies = new Map()

  async load(url, options = {}) {
    for (;;) {
      const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
      const response = await fetch(url, { ...options, redirect: 'manual', headers: { ...options.headers, cookie } })
      for (const line of response.headers.getSetCookie()) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)
        this.cookies.set(name, value)
      }
      if (response.status !== 303) return { url, html: await response.text(), status: response.status }
      const location = new URL(response.headers.get('location'), url)
      if (location.origin !== new URL(url).origin) return { url: location }
      url = location
      options = {}
    }
  }

  async submit(page, button, typed) {
    const form = page.html.match(/<form [\s\S]*?<\/form>/g).find((html) => html.includes(`name="do" value="${button}"`))
    const fields = new URLSearchParams({ do: button, ...typed })
    for (const [, name, value] of form.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g)) {
      fields.set(name, unescape(value))
    }
    const action = new URL(unescape(/action="([^"]*)"/.exec(form)[1]), page.url)
    return this.load(action, { method: 'POST', body: fields })
  }
}

function unescape(text) {
  const entities = { lt: '<', gt: '>', quot: '"', amp: '&', '#34': '"', '#39': "'", '#x27': "'", '#x2f': '/' }
  return text.replaceAll(/&([^;]+);/g, (whole, name) => entities[name] ?? whole)
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
console.log(JSON.stringify({ sub: claims.sub, acr: claims.acr, email: person.email, refreshed: true }))
