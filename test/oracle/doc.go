// Package oracle runs the clients that applications really use against the built binary:
// the AWS SDKs for Go, Python and JavaScript and the AWS CLI. They are the oracle of what
// compatible means, since nobody else serves this API any more.
//
// Most of it is scenarios: files of steps in testdata, each a call and what must come back.
// The same scenario is run through every client. It is a module of its own, so that the
// SDKs stay out of the program's.
package oracle
