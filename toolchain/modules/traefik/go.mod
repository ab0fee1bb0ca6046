module toolchain/traefik

go 1.26.0

require github.com/traefik/traefik/v3 v3.7.12

// The replacements that the main module of this release builds with. Its `dynamic/ext` is a folder of its repository.
replace (
	github.com/gorilla/mux => github.com/containous/mux v0.0.0-20250523120546-41b6ec3aed59
	github.com/traefik/traefik/dynamic/ext => ./ext
)

// The library of basic authentication, which tierstack does not use, as in 3.7.10: the module proxy lacks the next one.
// 3.7.13 cannot be built yet, because the module proxy lacks what lego 5.4.1 is made of.
replace github.com/abbot/go-http-auth => github.com/containous/go-http-auth v0.4.1-0.20200324110947-a37a7636d23e

exclude github.com/tencentcloud/tencentcloud-sdk-go v3.0.83+incompatible
