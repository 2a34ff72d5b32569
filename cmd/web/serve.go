package main

// ServeCmd serves the console until its context ends.
type ServeCmd struct{}

// Run serves.
func (ServeCmd) Run(app *App) error { return app.Open() }
