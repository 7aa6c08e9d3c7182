// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/kernel/release.hpp"

#include <gtest/gtest.h>

namespace handoff {
namespace {

TEST(Release, OfDebianIsOfATestedSeries) {
    EXPECT_EQ(series_of("5.10.0-32-amd64"), Series::linux_5_10);
    EXPECT_EQ(series_of("6.1.0-50-cloud-amd64"), Series::linux_6_1);
    EXPECT_EQ(series_of("6.1.0-0.deb11.21-amd64"), Series::linux_6_1);
    EXPECT_EQ(series_of("6.12.117+deb13-amd64"), Series::linux_6_12);
    EXPECT_EQ(series_of("6.12.9+bpo-amd64"), Series::linux_6_12);
    EXPECT_EQ(series_of("7.2.13+deb14-amd64"), Series::linux_7_2);
    EXPECT_EQ(series_of("7.3.4+deb13-amd64"), Series::linux_7_3);
    for (const char* release : {"5.10.0-32-amd64", "6.12.117+deb13-amd64", "7.3.4+deb13-amd64"}) {
        EXPECT_EQ(coverage_of(release), Coverage::tested) << release;
        EXPECT_EQ(nearest_tested(release), "") << release;
    }
}

TEST(Release, OfKernelOrgIsOfTheSeriesAndWasNotTested) {
    EXPECT_EQ(series_of("6.1.192"), Series::linux_6_1);
    EXPECT_EQ(coverage_of("6.1.192"), Coverage::between);
    EXPECT_EQ(nearest_tested("6.1.192"), "Linux 6.1");
}

TEST(Release, OfAnotherVendorIsOfNoSeries) {
    for (const char* release :
         {"6.12.0-55.el10.x86_64", "6.12.0-160000.5-default", "6.1.130-139.222.amzn2023.x86_64", "6.12.8-arch1-1",
          "6.1.10-1-pve", "6.12.13-kali1-amd64", "5.10.0-32-rt-amd64", "5.10.0-1057-oem", "6.12.0-rc1", "6.12.0+"}) {
        EXPECT_EQ(series_of(release), std::nullopt) << release;
        EXPECT_EQ(coverage_of(release), Coverage::between) << release;
    }
    EXPECT_EQ(nearest_tested("6.12.0-55.el10.x86_64"), "Linux 6.12");
}

TEST(Release, BetweenTwoSeriesIsNearBoth) {
    for (const char* release : {"5.14.0-427.el9.x86_64", "5.15.0-91-generic", "6.0.1"}) {
        EXPECT_EQ(series_of(release), std::nullopt) << release;
        EXPECT_EQ(coverage_of(release), Coverage::between) << release;
        EXPECT_EQ(nearest_tested(release), "Linux 5.10 and 6.1") << release;
    }
    EXPECT_EQ(nearest_tested("6.8.0-31-generic"), "Linux 6.1 and 6.12");
    EXPECT_EQ(nearest_tested("7.0.3"), "Linux 6.12 and 7.2");
}

TEST(Release, OutsideOfThemIsNotKnown) {
    for (const char* release : {"5.9.16", "4.18.0-553.el8", "3.10.0-1160.el7.x86_64", "7.4.0", "7.30.1", "8.3.0",
                                "16.1.0", "6", "next", "6.x"}) {
        EXPECT_EQ(series_of(release), std::nullopt) << release;
        EXPECT_EQ(coverage_of(release), Coverage::outside) << release;
        EXPECT_EQ(nearest_tested(release), "") << release;
    }
    EXPECT_EQ(coverage_of(""), Coverage::unknown);
}

}  // namespace
}  // namespace handoff
