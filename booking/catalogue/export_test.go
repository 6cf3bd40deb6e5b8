package catalogue

// LastPlaces is for tests.
var LastPlaces = lastPlaces
