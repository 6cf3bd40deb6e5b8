// Package visitor knows the kinds of visitor that are built in: browsers that
// prove some work, and people whom an organizer has invited. A kind says who it is
// that joins; package edge asks it, and the line gives each one place.
//
// The one hard idea is that a credential is worth one attempt: each kind also
// names the attempt, and the edge makes the place's id from it. So a credential
// can be spent any number of times and brings the same place each time.
//
// It keeps nothing, and knows neither the line nor HTTP.
package visitor
