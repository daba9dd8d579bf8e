// Package interop calls telephones that we did not write: sipp plays callees of every kind,
// baresip is a telephone that records, Kamailio is a proxy with passwords, routes and TLS.
// It shows that our SIP and RTP are what others take for SIP and RTP. Our mail goes to Postfix,
// as a relay and as the server of a domain, and dkimpy verifies its signatures.
//
// The programs are Debian's sip-tester, baresip-core, kamailio and kamailio-tls-modules, postfix
// (which needs root), sasl2-bin, libsasl2-modules and python3-dkim. A test whose program is missing is skipped; with TIDINGS_INTEROP=required, as in CI, it
// fails instead. Everything runs on loopback, on ports that were free.
package interop
