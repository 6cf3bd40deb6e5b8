package migrations

// What tests have to see.
const JobsNewest = jobsNewest
