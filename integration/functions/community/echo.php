<?php
// Stands for the program of php8, started for each request.
echo file_get_contents('php://stdin');
