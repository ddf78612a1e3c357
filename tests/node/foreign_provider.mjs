// oidc-provider as a company's own provider that ours sends people to: in memory, on loopback, RS256 alone, with claims of
// other names, in the ID token or, with FOREIGN_CLAIMS=userinfo, at UserInfo alone, as Core, 5.4 has it. Reads its client from
// FOREIGN as JSON; says `ready` and its issuer when it answers; runs until it is stopped.
import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import { Provider } from 'oidc-provider'

const client = JSON.parse(process.env.FOREIGN)
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })

// Whoever signs in is called as the address that was suggested; `email` is a decoy where the company says `upn`.
const claimsOf = (upn) => ({
  sub: `employee ${upn}`, upn, email: 'decoy@corp.example.com', email_verified: !upn.startsWith('unverified'),
  first_name: 'Fran', last_name: 'Foreign', given_name: 'Wrong', family_name: 'Person',
})

const configuration = {
  clients: [{ ...client, grant_types: ['authorization_code'], response_types: ['code'] }],
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: 'foreign' }] },
  scopes: ['openid', 'profile', 'email'],
  claims: {
    openid: ['sub'], email: ['upn', 'email', 'email_verified'],
    profile: ['first_name', 'last_name', 'given_name', 'family_name'],
  },
  conformIdTokenClaims: process.env.FOREIGN_CLAIMS === 'userinfo',
  cookies: { keys: ['only for a test'] },
  features: { devInteractions: { enabled: false } },
  pkce: { required: () => true },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_, id) => ({ accountId: id, claims: () => claimsOf(id) }),
  async loadExistingGrant(ctx) {
    const grant = new ctx.oidc.provider.Grant({
      clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId,
    })
    grant.addOIDCScope('openid profile email')
    await grant.save()
    return grant
  },
}

const server = createServer()
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`
  const provider = new Provider(issuer, configuration)
  provider.use(async (ctx, next) => {
    if (!ctx.path.startsWith('/interaction/')) return next()
    const { params } = await provider.interactionDetails(ctx.req, ctx.res)
    if (ctx.method === 'POST') {
      ctx.status = 303
      const login = { accountId: params.login_hint, amr: ['pwd'] }
      return ctx.redirect(await provider.interactionResult(ctx.req, ctx.res, { login }))
    }
    ctx.type = 'html'
    ctx.body = `<form action="${ctx.path}" method="post"><input name="password"><button name="do" value="login"></form>`
  })
  server.on('request', provider.callback())
  console.log(`ready ${issuer}`)
})
