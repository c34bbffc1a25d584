module hardway/pause

go 1.21
