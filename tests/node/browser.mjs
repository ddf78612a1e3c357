// A browser that follows redirects within the provider and types into the form it finds.
export class Browser {
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
