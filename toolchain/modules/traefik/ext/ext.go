// Package ext holds what an edition of Traefik adds to routers and to the HTTP configuration: nothing in the free one.
// The archive of Traefik's module lacks it, because there it is a module of its own.
package ext

// HTTP extends the HTTP configuration.
type HTTP struct{}

// Router extends a router.
type Router struct{}
