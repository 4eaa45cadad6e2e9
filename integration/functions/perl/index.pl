#!/usr/bin/perl
# Answers with what of the machine it finds itself in, as JSON.
use strict;
use warnings;
use Digest::SHA;
use Encode;
use IO::Socket::INET;
use JSON::PP;
use POSIX ();

sub maps {
    open my $in, '<', '/proc/self/maps' or die;
    my %seen = map { m{(/.*)} ? ($1 => 1) : () } <$in>;
    return [sort keys %seen];
}

sub report {
    my ($body) = @_;
    my $script = 'open my $i, "<", "/proc/self/maps"; my %s = map { m{(/.*)} ? ($1 => 1) : () } <$i>; print join "\n", sort keys %s';
    my @child = split /\n/, `perl -MPOSIX -e '$script'`;
    chomp(my $shell = `echo \$0; perl -e 'print 6*7'`);
    chomp(my $run = `hello.pl`);
    $ENV{TZ} = 'Asia/Tokyo';
    POSIX::tzset();
    return {
        body => $body, version => "$^V", child => \@child, shell => $shell, script => $run,
        digest => Digest::SHA::sha256_hex('x'), zone => (POSIX::tzname())[0],
        charset => unpack('H*', encode('iso-8859-15', "\x{e9}")), maps => maps(),
    };
}

my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1:8082', Listen => 16, ReuseAddr => 1) or die "listen: $!";
while (my $c = $server->accept) {
    my $length = 0;
    while (defined(my $line = <$c>)) {
        last if $line =~ /^\r?\n$/;
        $length = $1 if $line =~ /^content-length:\s*(\d+)/i;
    }
    read $c, my $body, $length;
    my $answer = encode_json(eval { report($body) } // { error => "$@" });
    print $c "HTTP/1.1 200 OK\r\nContent-Length: " . length($answer) . "\r\nConnection: close\r\n\r\n$answer";
    close $c;
}
