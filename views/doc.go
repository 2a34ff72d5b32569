// Package views is the face of Headway: templ components, and one view-model struct for each page with only what that page
// shows. It reads nothing and knows no request; the same model always gives the same bytes. Every string of a model is untrusted
// and comes out as text. Times may carry any location: they are printed in the Zone of their frame or fragment (nil is UTC),
// and a zero time is shown as "not yet". There is no inline style and no inline script, so a strict policy holds.
package views
