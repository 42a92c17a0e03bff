// Makes the fetch of a Node that has no proxy of its own (before 22.21, and 23) heed HTTPS_PROXY, HTTP_PROXY and NO_PROXY, without
// a change to the program:  NODE_OPTIONS="--require …/node_proxy.cjs" node program.mjs
//
// Node's fetch takes its connections from one dispatcher, known by a global symbol. Its class is not exported, but the
// dispatcher in place has it as constructor: a second one of that class, whose sockets come through the proxy by CONNECT, is put there.
"use strict"
const [major, minor] = process.versions.node.split(".").map(Number)
const isNative = major >= 24 || (major === 22 && minor >= 21)
const proxyFor = protocol => {
  const name = protocol === "https:" ? "https_proxy" : "http_proxy"
  return process.env[name] || process.env[name.toUpperCase()]
}

if (!isNative && (proxyFor("https:") || proxyFor("http:"))) install()

function install() {
  const http = require("node:http"), net = require("node:net"), tls = require("node:tls")

  function isExcluded(hostname) {
    const entries = (process.env.no_proxy || process.env.NO_PROXY || "").toLowerCase().split(/[\s,]+/).filter(Boolean)
    return entries.some(entry => {
      const bare = entry.replace(/^\*?\.?/, "").replace(/:\d+$/, "")
      return entry === "*" || hostname === entry || hostname === bare || (bare && hostname.endsWith("." + bare))
    })
  }

  function tunnel(proxy, target, done) {
    const headers = { host: target }
    if (proxy.username) {
      const user = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`
      headers["proxy-authorization"] = `Basic ${Buffer.from(user).toString("base64")}`
    }
    http.request({ host: proxy.hostname.replace(/^\[|\]$/g, ""), port: proxy.port || 80, method: "CONNECT", path: target, headers,
      agent: false })
      .once("connect", (answer, socket) => {
        if (answer.statusCode === 200) return done(null, socket)
        socket.destroy()
        done(new Error(`the proxy answered ${answer.statusCode} to CONNECT ${target}`))
      })
      .once("error", done)
      .end()
  }

  function connect({ hostname, protocol, port, servername }, callback) {
    const secure = protocol === "https:"
    const name = hostname.replace(/^\[|\]$/g, ""), number = Number(port) || (secure ? 443 : 80)
    let isDone = false
    const done = (error, socket) => {
      if (isDone) return
      isDone = true
      callback(error, socket)
    }
    const start = (error, socket) => {
      if (error) return done(error)
      socket.setNoDelay(true)
      if (!secure) return done(null, socket)
      const encrypted = tls.connect({ socket, servername: servername || (net.isIP(name) ? "" : name), ALPNProtocols: ["http/1.1"] })
      encrypted.once("secureConnect", () => done(null, encrypted)).once("error", done)
    }
    const proxy = proxyFor(protocol)
    if (proxy && !isExcluded(name.toLowerCase())) return tunnel(new URL(proxy), `${hostname}:${number}`, start)
    const socket = net.connect(number, name)
    socket.once("connect", () => start(null, socket)).once("error", done)
  }

  void new Headers() // loads what makes the dispatcher
  const key = Symbol.for("undici.globalDispatcher.1")
  const Agent = globalThis[key]?.constructor
  if (Agent) globalThis[key] = new Agent({ connect })
}
